import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import { MountError } from '../../src/http/mount-error.js'
import { type DeliveredBody, readDeliveredBody } from '../../src/receiver/delivered-body.js'

const FORM = 'application/x-www-form-urlencoded'
const EVENT = 'application/secevent+jwt'
const JSON_TYPE = 'application/json'

interface Given {
  readonly type?: string
  readonly length?: number
  readonly encoding?: string
}

function headersOf({ type = FORM, length, encoding }: Given) {
  return {
    headers: {
      'content-type': type,
      ...(length === undefined ? { 'transfer-encoding': 'chunked' } : { 'content-length': String(length) }),
      ...(encoding !== undefined && { 'content-encoding': encoding }),
    },
  }
}

/** A body that nobody has read. */
const unread = (text: string, given: Given = {}): Promise<DeliveredBody> =>
  readDeliveredBody(headersOf(given), Readable.from([Buffer.from(text)]), () => {
    throw new Error('nobody was to ask')
  })

/** One that somebody has, who left this. */
async function read(parsed: unknown, given: Given = {}): Promise<string> {
  const stream = Readable.from([Buffer.from('gone')])
  for await (const _ of stream);
  return String(await readDeliveredBody(headersOf(given), stream, () => parsed))
}

test('takes what nobody has read from the stream, and asks no parser', async () => {
  expect(String(await unread('a=b'))).toBe('a=b')
  expect(await unread('a=b', { length: 16_385 })).toBe('too large')
  expect(await unread('x'.repeat(16_385))).toBe('too large')
})

test('takes nothing that is compressed', async () => {
  for (const encoding of ['gzip', 'br', 'identity, gzip', 'x']) expect(await unread('a', { encoding })).toBe('encoded')
  for (const encoding of ['identity', ' Identity ', '']) expect(String(await unread('a', { encoding }))).toBe('a')
})

test('texts and bytes are what came', async () => {
  for (const type of [FORM, EVENT, JSON_TYPE, 'text/plain']) {
    expect(await read('a=ü', { type })).toBe('a=ü')
    expect(await read(new Uint8Array([97, 61]), { type })).toBe('a=')
  }
})

test.each<[parsed: object, written: string]>([
  [{}, ''],
  [{ logout_token: 'e.y.J' }, 'logout_token=e.y.J'],
  [{ a: '&=+ %ü', b: '' }, 'a=%26%3D%2B+%25%C3%BC&b='],
  [{ logout_token: ['a', 'b'] }, 'logout_token=a&logout_token=b'],
  [{ logout_token: ['a', { b: 'c' }] }, 'logout_token=a&logout_token='],
  // None of these had the name itself.
  [{ logout_token: ['a'] }, 'logout_token%5B%5D='],
  [{ logout_token: [] }, 'logout_token%5B%5D='],
  [{ logout_token: { a: 'b' } }, 'logout_token%5B%5D='],
  [{ logout_token: null }, 'logout_token%5B%5D='],
  [{ logout_token: 1 }, 'logout_token%5B%5D='],
  [JSON.parse('{"__proto__":"a","constructor":"b"}'), '__proto__=a&constructor=b'],
  [Object.assign(Object.create({ logout_token: 'inherited' }), { a: 'b' }), 'a=b'],
  [['logout_token'], '0=logout_token'],
])('a form that was read as %j is written once more', async (parsed, written) => {
  expect(await read(parsed, { type: `${FORM}; charset=utf-8` })).toBe(written)
})

test('JSON that was read is written once more', async () => {
  for (const value of [{ a: [1, { b: 'ü' }] }, [], null, 5, true]) {
    expect(await read(value, { type: 'Application/JSON;charset=utf-8' })).toBe(JSON.stringify(value))
  }
  const text = '{"__proto__":{"a":1},"toJSON":2}'
  expect(await read(JSON.parse(text), { type: JSON_TYPE })).toBe(text)
})

test('JSON that cannot be written is none', async () => {
  const deep = JSON.parse('['.repeat(9000) + ']'.repeat(9000))
  const circular: Record<string, unknown> = {}
  circular.itself = circular
  for (const value of [deep, circular, { a: 1n }]) expect(await read(value, { type: JSON_TYPE })).toBe('null')
})

test('what was read counts as much as it announced, and as much as is left of it', async () => {
  expect(await read('a', { length: 16_385 })).toBe('too large')
  expect(await read('x'.repeat(16_385))).toBe('too large')
  expect(await read({ a: 'x'.repeat(16_385) }, { type: JSON_TYPE })).toBe('too large')
})

test('a body of which nothing is left is a mistake of the application, whose message shows nothing', async () => {
  for (const [parsed, type] of [
    [undefined, FORM],
    [undefined, JSON_TYPE],
    [undefined, EVENT],
    [{}, EVENT],
    [{ hushhush: '' }, EVENT],
    [null, FORM],
    [5, FORM],
  ] as const) {
    const failure = await read(parsed, { type }).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(MountError)
    expect(String(failure)).toMatch(/^MountError: createRevocationReceiver\(\) .*: mount it before that middleware$/)
  }
})

test('of a type that nobody takes the body does not matter', async () => {
  for (const parsed of [undefined, { a: 1 }]) expect(await read(parsed, { type: 'multipart/form-data' })).toBe('')
})

test('where there was no body there is none', async () => {
  expect(await read(undefined, { length: 0 })).toBe('')
  expect(await read({}, { length: 0, type: EVENT })).toBe('')
})
