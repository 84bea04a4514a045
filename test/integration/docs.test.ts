import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, posix, resolve } from 'node:path'
import ts from 'typescript'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const root = resolve(import.meta.dirname, '../..')
const scratch = mkdtempSync(join(tmpdir(), 'docs-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

/** The files that `npm pack` would put into the package; dist/ as far as it is built. */
let packed: readonly string[]
let documents: readonly string[]

beforeAll(() => {
  packed = pack(root, '--dry-run').files.map(({ path }) => path)
  documents = packed.filter((path) => path.endsWith('.md'))
}, 60_000)

test('the package has the documents and the examples, and no folder of tests or benchmarks', () => {
  expect(documents).toEqual(expect.arrayContaining(['README.md', 'CHANGELOG.md', 'SECURITY.md', 'docs/fleet.md']))
  expect(packed).toContain('examples/json-file-store.ts')
  expect(packed.filter((path) => /(^|\/)(test|tests|__tests__|bench)\//.test(path))).toEqual([])
})

describe('a link of a packed document', () => {
  test('that is relative leads to a file of the package, and to a heading that it has', () => {
    const links = documents.flatMap((document) =>
      linksOf(document).map((link) => ({ document, link, ...targetOf(document, link) })),
    )
    expect(links.length).toBeGreaterThan(15)
    const broken = links.filter(({ file, anchor }) => {
      if (!packed.includes(file)) return true
      return anchor !== undefined && !anchorsOf(file).has(anchor)
    })
    expect(broken.map(({ document, link }) => `${document}: ${link}`)).toEqual([])
  })

  test('in the documents for contributors leads to a file of the repository', () => {
    const broken = ['CONTRIBUTING.md', 'bench/README.md'].flatMap((document) =>
      linksOf(document)
        .filter((link) => !existsSync(join(root, targetOf(document, link).file)))
        .map((link) => `${document}: ${link}`),
    )
    expect(broken).toEqual([])
  })
})

describe('the constant that the publisher sets', () => {
  test('is the only one: no homepage, and no absolute link to a file, stands beside it', () => {
    const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    expect([manifest.homepage, manifest.bugs]).toEqual([undefined, undefined])
    expect(readFileSync(join(root, 'README.md'), 'utf8')).not.toContain('/blob/')
  })

  test('makes homepage and the links of the packed README, and leaves the files as they were', () => {
    const folder = copyOfThePackage('set')
    execFileSync('npm', ['pkg', 'set', 'repository=https://git.example.com/team/vantage-auth'], { cwd: folder })
    const before = ['package.json', 'README.md'].map((file) => readFileSync(join(folder, file), 'utf8'))

    const tarball = pack(folder)
    execFileSync('tar', ['-xzf', tarball.filename], { cwd: folder })
    const manifest = JSON.parse(readFileSync(join(folder, 'package/package.json'), 'utf8'))
    expect(manifest.homepage).toBe('https://git.example.com/team/vantage-auth#readme')
    const readme = readFileSync(join(folder, 'package/README.md'), 'utf8')
    const at = `https://git.example.com/team/vantage-auth/blob/v${manifest.version}/`
    expect(readme).toContain(`[SECURITY.md](${at}SECURITY.md)`)
    expect(readme).toContain(`(${at}SECURITY.md#what-is-checked)`)
    expect(readme).toContain(`](https://git.example.com/team/vantage-auth/raw/v${manifest.version}/docs/console.webp)`)
    expect(readme).toContain('[Options](#options)')
    expect([...readme.matchAll(/\]\((?!#|https:)/g)]).toEqual([])

    expect(['package.json', 'README.md'].map((file) => readFileSync(join(folder, file), 'utf8'))).toEqual(before)
  }, 60_000)

  test('ends the packing where it is no address', () => {
    const folder = copyOfThePackage('wrong')
    execFileSync('npm', ['pkg', 'set', 'repository=git@example.com:team/vantage-auth.git'], { cwd: folder })
    expect(() => pack(folder)).toThrow('npm pkg set repository=https://')
  }, 60_000)

  /** As it is packed, but for the build: that takes long, and has no links. */
  function copyOfThePackage(name: string): string {
    const folder = join(scratch, name)
    mkdirSync(folder)
    for (const file of ['README.md', 'CHANGELOG.md', 'SECURITY.md', 'docs', 'examples', 'scripts/links.ts']) {
      cpSync(join(root, file), join(folder, file), { recursive: true })
    }
    const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    const run = (script: string) =>
      script.replace('npm run build && ', '').replace('tsx', join(root, 'node_modules/.bin/tsx'))
    const scripts = { prepack: run(manifest.scripts.prepack), postpack: run(manifest.scripts.postpack) }
    writeFileSync(join(folder, 'package.json'), `${JSON.stringify({ ...manifest, scripts }, undefined, 2)}\n`)
    return folder
  }
})

test('the changelog of 0.2 is in groups, and says nothing twice', () => {
  const changelog = readFileSync(join(root, 'CHANGELOG.md'), 'utf8')
  const [, section = ''] = /^## 0\.2\.0.*\n([\s\S]*?)^## 0\.1\.0/m.exec(changelog) ?? []
  const [before = '', ...groups] = section.split(/^### /m)
  expect([before.trim(), groups[0]?.split('\n')[0]]).toEqual(['', 'What breaks'])
  const lines = section.split('\n').filter((line) => line.startsWith('- '))
  expect(lines.length).toBeGreaterThan(50)
  // The first words of a line tell it apart: two versions of one line are a merge that went wrong.
  const beginnings = lines.map((line) => line.slice(0, 50))
  expect(beginnings.filter((text, index) => beginnings.indexOf(text) !== index)).toEqual([])
  expect(lines.filter((line) => line.startsWith('- - '))).toEqual([])
  // The heading says it.
  expect(lines.filter((line) => /^- (Added|Changed|Fixed|\*\*Security:\*\*)/.test(line))).toEqual([])
})

describe('the README on key stores of your own', () => {
  const contract = ts.createSourceFile(
    'contract.ts',
    readFileSync(join(root, 'src/store/contract.ts'), 'utf8'),
    ts.ScriptTarget.Latest,
  )
  const methods = contract.statements
    .flatMap((statement) =>
      ts.isInterfaceDeclaration(statement) && statement.name.text === 'KeyStore' ? [statement] : [],
    )
    .flatMap(({ members }) => [...members])
    .filter(ts.isMethodSignature)
    .map((method) => ({ name: method.name.getText(contract), optional: method.questionToken !== undefined }))
  const optional = methods.filter((method) => method.optional).map(({ name }) => name)
  const [, section = ''] = readFileSync(join(root, 'README.md'), 'utf8').split('### Bring your own store\n')

  test('counts the methods', () => {
    const words = 'no one two three four five six seven eight nine ten eleven twelve'.split(' ')
    const required = words[methods.length - optional.length]
    expect(section).toContain(`${required} methods, and ${words[optional.length]} more that it may have`)
  })

  test('says of each optional one what is missing without it', () => {
    const rows = [...(section.split('\n## ')[0] ?? '').matchAll(/^\| (`.*?) \|/gm)].flatMap(([, cell = '']) =>
      cell.split(', '),
    )
    expect(rows.map((name) => name.replaceAll('`', '')).sort()).toEqual(optional.sort())
  })
})

interface Packed {
  readonly filename: string
  readonly files: readonly { readonly path: string }[]
}

function pack(folder: string, ...flags: string[]): Packed {
  const quiet = flags.includes('--dry-run') ? ['--ignore-scripts'] : []
  const output = execFileSync('npm', ['pack', '--json', ...quiet, ...flags], {
    cwd: folder,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  // What scripts print comes before.
  return (JSON.parse(output.slice(output.search(/^\[\s*\{/m))) as [Packed])[0]
}

function linksOf(document: string): string[] {
  const prose = readFileSync(join(root, document), 'utf8')
    .replaceAll(/^ *```.*?^ *```/gms, '')
    .replaceAll(/`[^`\n]*`/g, '``')
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, link = '']) => link)
    .filter((link) => !/^[a-z][a-z0-9+.-]*:/.test(link))
}

function targetOf(document: string, link: string): { file: string; anchor: string | undefined } {
  const [path = '', anchor] = link.split('#')
  return { file: path === '' ? document : posix.join(posix.dirname(document), path), anchor }
}

/** The anchors of the headings of a document, made as GitHub and GitLab make them. */
function anchorsOf(document: string): Set<string> {
  const text = readFileSync(join(root, document), 'utf8').replaceAll(/^ *```.*?^ *```/gms, '')
  const anchors = new Set<string>()
  for (const [, heading = ''] of text.matchAll(/^#{1,6} +(.+?) *$/gm)) {
    const plain = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase()
    const anchor = plain.replaceAll(/[^\p{L}\p{N}\s_-]/gu, '').replaceAll(/\s/g, '-')
    let unique = anchor
    for (let n = 1; anchors.has(unique); n++) unique = `${anchor}-${n}`
    anchors.add(unique)
  }
  return anchors
}
