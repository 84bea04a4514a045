import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { generateApiKey } from '../../../src/api-key/format.js'
import { createKeyFinder, type FoundKey, WINDOW_SIZE } from '../../../src/cli/scan/key-finder.js'

const TEST_VECTOR = 'vak_live_Cvr9ZyvaWKKYwpeJ62eF0j8C8xyH6vCWyo4xGvNPDouCeE05Qt7GMSZ12pFd8'
const { key: KEY, id: ID } = generateApiKey('live')
const { key: OTHER, id: OTHER_ID } = generateApiKey('test')

interface Reading {
  /** How many bytes come at a time; the last of these for all further pieces. */
  readonly pieces?: readonly number[]
  readonly readDiff?: boolean
  readonly bufferSize?: number
}

function scan(
  input: string | Buffer,
  { pieces = [Number.POSITIVE_INFINITY], readDiff = false, bufferSize = WINDOW_SIZE }: Reading = {},
): FoundKey[] {
  const bytes = Buffer.from(input as string)
  const finder = createKeyFinder(Buffer.alloc(bufferSize), { readDiff })
  const found: FoundKey[] = []
  for (let at = 0, piece = 0; at < bytes.length; piece++) {
    const space = finder.space()
    const size = Math.min(pieces[Math.min(piece, pieces.length - 1)] ?? 1, space.length, bytes.length - at)
    bytes.copy(space, 0, at, at + size)
    found.push(...finder.read(size))
    at += size
  }
  return [...found, ...finder.end()]
}

const places = (found: readonly FoundKey[]) =>
  found.map(({ path, line, column, id }) => `${path ?? ''}:${line}:${column} ${id}`)

describe('a key is found', () => {
  test.each([
    ['alone', KEY, 1],
    ['behind a percent-encoded space', `Authorization: Bearer%20${KEY}`, 25],
    ['behind an underscore and before letters', `API_KEY_${KEY}abc`, 9],
    ['behind the beginning of another', `vak_live_${KEY}`, 10],
    ['behind half a key', `${OTHER.slice(0, 40)}${KEY}`, 41],
    ['between zeros', `\0\0${KEY}\0`, 3],
    ['behind characters of several bytes, which count as such', `é✓${KEY}`, 6],
    ['in quotes', `{"key":"${KEY}"}`, 9],
  ])('%s', (_, text, column) => {
    expect(scan(text)).toEqual([
      { key: KEY, id: ID, environment: 'live', line: 1, column, path: undefined, change: undefined },
    ])
  })

  test('of each environment, also directly one behind another', () => {
    expect(places(scan(`${KEY}${OTHER}${KEY}`))).toEqual([`:1:1 ${ID}`, `:1:71 ${OTHER_ID}`, `:1:141 ${ID}`])
  })

  test('on its line, whatever ends lines', () => {
    expect(places(scan(`one\n\r\ntwo ${KEY}\r\n\n${OTHER}`))).toEqual([`:3:5 ${ID}`, `:5:1 ${OTHER_ID}`])
  })

  test('in UTF-16 of either order', () => {
    const text = Buffer.from(`\ufeffkey\n ${KEY}✓\n`, 'utf16le')
    expect(places(scan(text))).toEqual([`:2:4 ${ID}`])
    expect(places(scan(text.swap16()))).toEqual([`:2:4 ${ID}`])
  })

  test('behind a hundred megabytes without a line end, with a buffer of one', () => {
    const finder = createKeyFinder(Buffer.alloc(WINDOW_SIZE, 'x'), { readDiff: true })
    let bytes = 0
    for (let round = 0; round < 110; round++) {
      const space = finder.space()
      expect(space.length).toBeGreaterThan(WINDOW_SIZE / 2)
      space.fill('x')
      bytes += space.length
      expect(finder.read(space.length)).toEqual([])
    }
    const size = finder.space().write(`${KEY}\n${OTHER}`)
    const found = [...finder.read(size), ...finder.end()]
    expect(places(found)).toEqual([`:1:${bytes + 1} ${ID}`, `:2:1 ${OTHER_ID}`])
  })
})

describe('no key is', () => {
  test.each([
    ['the test vector', TEST_VECTOR],
    ['one with another checksum', `${KEY.slice(0, -1)}${KEY.endsWith('0') ? '1' : '0'}`],
    ['one cut short', KEY.slice(0, -1)],
    ['one of another environment', KEY.replace('live', 'prod')],
    ['one broken by a line end', `${KEY.slice(0, 30)}\n${KEY.slice(30)}`],
    [
      'one whose zeros end in the middle, as UTF-16',
      `${Buffer.from(KEY.slice(0, 30), 'utf16le').toString('latin1')}${KEY.slice(30)}`,
    ],
  ])('%s', (_, text) => {
    expect(scan(text)).toEqual([])
  })

  test('hidden by the test vector beside it', () => {
    expect(places(scan(`${TEST_VECTOR}${KEY}`))).toEqual([`:1:71 ${ID}`])
  })
})

test('the pieces in which an input comes change nothing', () => {
  const parts = fc.constantFrom(
    KEY,
    OTHER,
    TEST_VECTOR,
    KEY.slice(0, 33),
    'vak_live_',
    'vak_',
    '\n',
    '\r\n',
    ' ',
    '\0',
    'é',
    '--- a/x\n+++ b/y\n@@ -1,3 +7,4 @@\n',
    '+',
    '-',
    'x'.repeat(300),
    Buffer.from(KEY, 'utf16le').toString('latin1'),
    Buffer.from(`${OTHER}\n`, 'utf16le').toString('latin1'),
  )
  fc.assert(
    fc.property(
      fc.array(parts, { maxLength: 30 }),
      fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 20 }),
      fc.boolean(),
      (texts, pieces, readDiff) => {
        const input = texts.join('')
        expect(scan(input, { pieces, readDiff, bufferSize: 20_000 })).toEqual(scan(input, { readDiff }))
      },
    ),
    { numRuns: 500 },
  )
})

test('every key is found at its place: as a look at each place of the text finds it', () => {
  const parts = fc.constantFrom(KEY, OTHER, KEY.slice(0, 20), 'vak_live_', 'v', '\n', 'ab ', TEST_VECTOR)
  fc.assert(
    fc.property(fc.array(parts, { maxLength: 40 }), fc.integer({ min: 1, max: 90 }), (texts, piece) => {
      const text = texts.join('')
      const expected = [...text].flatMap((_, at) => {
        const hit = [KEY, OTHER].find((key) => text.startsWith(key, at))
        if (hit === undefined) return []
        const before = text.slice(0, at).split('\n')
        return [`:${before.length}:${(before.at(-1)?.length ?? 0) + 1} ${hit === KEY ? ID : OTHER_ID}`]
      })
      expect(places(scan(text, { pieces: [piece] }))).toEqual(expected)
    }),
  )
})

describe('in a unified diff', () => {
  const diff = (text: string) => scan(text, { readDiff: true, pieces: [7] })

  test('keys are told by its files, with the line numbers of the new ones', () => {
    const found = diff(`commit 1234
    a message with ${KEY}

diff --git a/src/one.ts b/src/one.ts
index 1..2 100644
--- a/src/one.ts
+++ b/src/one.ts
@@ -10,4 +10,5 @@ function x() {
 context
-removed
+added
+const key = '${KEY}'
 last ${OTHER}
 end
@@ -90 +91 @@
-x
+${KEY}
\\ No newline at end of file
diff --git a/two.txt b/two.txt
new file mode 100644
--- /dev/null
+++ b/two.txt
@@ -0,0 +1,2 @@
+--- a/no/header
++++ ${OTHER}
`)
    expect(places(found)).toEqual([
      `:2:20 ${ID}`,
      `src/one.ts:12:14 ${ID}`,
      `src/one.ts:13:6 ${OTHER_ID}`,
      `src/one.ts:91:1 ${ID}`,
      `two.txt:2:5 ${OTHER_ID}`,
    ])
    expect(found.map(({ change }) => change)).toEqual([undefined, 'added', 'kept', 'added', 'added'])
  })

  test('a removed line is told by the old file, and marked', () => {
    const found = diff(`--- a/old.ts\n+++ b/new.ts\n@@ -7,3 +20,2 @@\n \n-- ${KEY}\n+\n-${OTHER}\n`)
    expect(places(found)).toEqual([`old.ts:8:3 ${ID}`, `old.ts:9:1 ${OTHER_ID}`])
    expect(found.map(({ change }) => change)).toEqual(['removed', 'removed'])
  })

  test('a merge has a marker for each parent', () => {
    const found = diff(`diff --cc a.ts
--- a/a.ts
+++ b/a.ts
@@@ -1,2 -1,2 +1,4 @@@
  both
++${KEY}
+ first
 +${OTHER}
- gone
after ${KEY}
`)
    expect(places(found)).toEqual([`a.ts:2:1 ${ID}`, `a.ts:4:1 ${OTHER_ID}`, `:10:7 ${ID}`])
  })

  test.each([
    ['"b/caf\\303\\251 \\"x\\"\\t.txt"', 'café "x"\t.txt'],
    ['b/with space.txt\t2026-11-25 10:00:00', 'with space.txt'],
    ['b/crlf.txt\r', 'crlf.txt'],
    ['plain.txt', 'plain.txt'],
    ['w/mnemonic.txt', 'mnemonic.txt'],
  ])('the name of the new file %j is read as %j', (written, name) => {
    expect(diff(`--- /dev/null\n+++ ${written}\n@@ -0,0 +1 @@\n+${KEY}\n`)[0]?.path).toBe(name)
  })

  test('a folder called b is not taken for the prefix of git', () => {
    expect(diff(`--- b/x.txt\n+++ b/x.txt\n@@ -1 +1 @@\n+${KEY}\n-\n`)[0]?.path).toBe('b/x.txt')
  })

  test.each([
    ['without the header of a file', `@@ -1 +1 @@\n+${KEY}\n`],
    ['whose header stands apart', `--- a/x\n+++ b/x\n\n@@ -1 +1 @@\n+${KEY}\n`],
    ['that goes on behind its count', `--- a/x\n+++ b/x\n@@ -0,0 +1 @@\n+\n+${KEY}\n`],
    ['that is broken off', `--- a/x\n+++ b/x\n@@ -1,5 +1,5 @@\n+\nbroken off\n+${KEY}\n`],
    ['with numbers beyond all lines', `--- a/x\n+++ b/x\n@@ -1 +99999999999 @@\n+${KEY}\n`],
  ])('what looks like a hunk %s is told by the place in the input', (_, text) => {
    expect(places(diff(text))).toEqual([`:${text.split('\n').length - 1}:2 ${ID}`])
  })

  test('lines of any length belong to their file', () => {
    const long = 'x'.repeat(100_000)
    const text = `--- a/x\n+++ b/y\n@@ -1,2 +1,3 @@\n ${long}\n+${long}${KEY}${long}\n ${OTHER}\n`
    expect(places(scan(text, { readDiff: true, pieces: [977] }))).toEqual([`y:2:100001 ${ID}`, `y:3:1 ${OTHER_ID}`])
  })

  test('a file that is not to be read as a diff is told as any other', () => {
    expect(places(scan(`--- a/x\n+++ b/x\n@@ -0,0 +1 @@\n+${KEY}\n`))).toEqual([`:4:2 ${ID}`])
  })
})
