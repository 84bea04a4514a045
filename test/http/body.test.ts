import { connect } from 'node:net'
import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import { collectBody, MAX_BODY_BYTES, partsOf } from '../../src/http/body.js'
import { listen } from '../support/frameworks.js'

const parts = (...sizes: number[]) =>
  Readable.from(sizes.map((size) => Buffer.alloc(size, 'a')))[Symbol.asyncIterator]()
const silent: AsyncIterator<Uint8Array> = { next: () => new Promise(() => {}) }

test('reads a body in parts up to the limit, and not one byte more', async () => {
  expect(await collectBody(parts(), undefined)).toEqual({ bytes: Buffer.alloc(0) })
  expect(await collectBody(parts(1, 2), '3')).toEqual({ bytes: Buffer.from('aaa') })
  const largest = await collectBody(parts(1, MAX_BODY_BYTES - 1), undefined)
  expect(largest).toEqual({ bytes: Buffer.alloc(MAX_BODY_BYTES, 'a') })
  expect(await collectBody(parts(1, MAX_BODY_BYTES), undefined)).toBe('too_large')
})

test('an announced length beyond the limit counts, whatever is sent', async () => {
  expect(await collectBody(parts(1), String(MAX_BODY_BYTES + 1))).toBe('too_large')
})

test('a body without an end is dropped, and ends', async () => {
  let read = 0
  const endless: AsyncIterator<Uint8Array> = {
    next: async () => {
      read += 65_536
      return { done: false, value: Buffer.alloc(65_536) }
    },
  }
  expect(await collectBody(endless, undefined)).toBe('too_large')
  expect(read).toBeLessThan(2 ** 21)
})

test('a client that goes silent, or away, has sent no body', async () => {
  expect(await collectBody(silent, undefined, 20)).toBe('incomplete')
  const failing: AsyncIterator<Uint8Array> = { next: () => Promise.reject(new Error('aborted')) }
  expect(await collectBody(failing, undefined)).toBe('incomplete')
})

test('many small parts have no more time than one', async () => {
  const dripping: AsyncIterator<Uint8Array> = {
    next: () => new Promise((resolve) => setTimeout(resolve, 10, { done: false, value: Buffer.from('a') })),
  }
  expect(await collectBody(dripping, undefined, 100)).toBe('incomplete')
})

test('reading leaves the socket open for the answer', async () => {
  const { port, close } = await listen(async (req, res) => {
    const body = await collectBody(partsOf(req), req.headers['content-length'], 20)
    res.setHeader('Connection', 'close')
    res.end(String(body))
  })
  const socket = connect(port, '127.0.0.1')
  socket.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc')
  const chunks: Buffer[] = []
  for await (const chunk of socket) chunks.push(chunk)
  expect(Buffer.concat(chunks).toString()).toMatch(/^HTTP\/1.1 200 OK\r\n[\s\S]*incomplete$/)
  await close()
})
