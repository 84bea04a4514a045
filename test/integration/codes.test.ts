import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import ts from 'typescript'
import { expect, test } from 'vitest'

const root = resolve(import.meta.dirname, '../..')
const page = readFileSync(join(root, 'docs/codes.md'), 'utf8')
const sources = ['src', 'adapters'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => ({ path: join(folder, path), text: readFileSync(join(root, folder, path), 'utf8') })),
)

/** The codes of errors, and those that are given to the function which emits warnings. */
function codesOf(text: string): string[] {
  const errors = [...text.matchAll(/['"`](ERR_VANTAGE_[A-Z_]*[A-Z])['"`]/g)]
  const warnings = [...text.matchAll(/warnOnce\(\s*'(VANTAGE_[A-Z_]+)'/g)]
  return [...errors, ...warnings].map(([, code = '']) => code)
}

test('docs/codes.md has a heading for every code of the source, and for no other, with cause and cure', () => {
  const given = new Set(sources.flatMap(({ text }) => codesOf(text)))
  const entries = page.split(/^### /m).slice(1)
  const described = entries.filter((entry) => /^(ERR_)?VANTAGE_/.test(entry))
  expect(given.size).toBeGreaterThanOrEqual(15)
  expect(described.map((entry) => entry.split('\n')[0]).sort()).toEqual([...given].sort())
  expect(described.filter((entry) => !/^\*\*Cause\.\*\* ./m.test(entry) || !/^\*\*Cure\.\*\* ./m.test(entry))).toEqual(
    [],
  )
})

test('every process warning goes through the one function that names its place on the page', () => {
  const emitting = sources.filter(({ text }) => /process\.emitWarning\(/.test(text)).map(({ path }) => path)
  expect(emitting).toEqual(['src/core/process-warning.ts'])
})

test('docs/codes.md has a line for every reason, and for no other', () => {
  const errors = ts.createSourceFile(
    'errors.ts',
    readFileSync(join(root, 'src/core/errors.ts'), 'utf8'),
    ts.ScriptTarget.Latest,
  )
  const reasons = new Set<string>()
  for (const statement of errors.statements) {
    if (!ts.isTypeAliasDeclaration(statement) || !/^(Refusal)?Reason$/.test(statement.name.text)) continue
    const members = ts.isUnionTypeNode(statement.type) ? statement.type.types : [statement.type]
    for (const member of members) {
      if (ts.isLiteralTypeNode(member) && ts.isStringLiteral(member.literal)) reasons.add(member.literal.text)
    }
  }
  const table = page.slice(page.indexOf('### Reasons'), page.indexOf('## Errors of administration'))
  const described = [...table.matchAll(/^\| `(\w+)` \|/gm)].map(([, reason]) => reason)
  expect(reasons.size).toBeGreaterThanOrEqual(16)
  expect(described.sort()).toEqual([...reasons].sort())
})
