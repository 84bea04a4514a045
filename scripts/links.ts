/**
 * Absolute links for those who read the packed README on the page of a registry.
 *
 * The publisher sets one constant, `repository` in package.json: the address of the repository on the web. From it
 * `tsx scripts/links.ts absolute`, which `npm pack` runs before, makes `homepage` and the links of the README, and
 * `tsx scripts/links.ts relative`, which it runs behind, takes them away again. Where the constant is not set both do nothing,
 * and the links lead to the files of the package.
 */
import { readFileSync, writeFileSync } from 'node:fs'

const wanted = process.argv[2]
if (wanted !== 'absolute' && wanted !== 'relative') throw new TypeError('usage: tsx scripts/links.ts absolute|relative')

const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as Record<string, unknown>
if (manifest.repository !== undefined) {
  const repository = checked(manifest.repository)
  const home = `${repository}#readme`
  // The forms that GitHub and GitLab have for a file of a release: its page, and the file itself for a picture.
  const files = `${repository}/blob/v${manifest.version}/`
  const pictures = `${repository}/raw/v${manifest.version}/`
  const readme = readFileSync('README.md', 'utf8')

  if (wanted === 'absolute') {
    const relative = /(!\[[^\]]*)?\]\((?!#|[a-z][a-z0-9+.-]*:)/g
    const absolute = readme.replaceAll(
      relative,
      (_, picture = '') => `${picture}](${picture === '' ? files : pictures}`,
    )
    write('README.md', absolute)
    write('package.json', `${JSON.stringify({ ...manifest, homepage: home }, undefined, 2)}\n`)
  } else {
    write('README.md', readme.replaceAll(`](${files}`, '](').replaceAll(`](${pictures}`, ']('))
    const { homepage: _, ...rest } = manifest
    write('package.json', `${JSON.stringify(rest, undefined, 2)}\n`)
  }
}

function checked(repository: unknown): string {
  if (typeof repository === 'string' && /^https:\/\/[^\s?#]+[^\s?#/]$/.test(repository)) return repository
  throw new TypeError(
    `repository in package.json is the address of the repository on the web, without a slash at its end: npm pkg set repository=https://git.example.com/team/vantage-auth`,
  )
}

function write(file: string, text: string): void {
  if (readFileSync(file, 'utf8') !== text) writeFileSync(file, text)
}
