/** The client of `npm run bench:http`: connections that are kept alive, and requests whose bytes are made beforehand. */
import { connect } from 'node:net'
import { createHistogram } from 'node:perf_hooks'

/** @typedef {{ answered(): void, send(): void, close(): void }} Connection */

const CONNECTIONS = 32

/**
 * Opens connections that send one request for each Authorization header, in rotation.
 *
 * @param {number} port
 * @param {Buffer[]} headers
 * @param {number} status of every answer; another one is an error
 */
export async function openConnections(port, headers, status) {
  const requests = headers.map((header) =>
    Buffer.from(`GET /v1/jobs HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\nAuthorization: ${header}\r\n\r\n`),
  )
  const begin = Buffer.from(`HTTP/1.1 ${status} `)
  let sent = 0
  /**
   * All answers to these requests are of one length, which tells where one ends.
   *
   * @type {number | undefined}
   */
  let length

  /** @returns {Promise<Connection>} */
  const open = () =>
    new Promise((resolve, reject) => {
      let received = 0
      /** @type {Connection} */
      const connection = {
        answered() {},
        send: () => socket.write(requests[sent++ % requests.length]),
        close: () => socket.destroy(),
      }
      const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => resolve(connection))
      socket.on('error', reject)
      socket.on('data', (/** @type {Buffer} */ chunk) => {
        if (received === 0 && begin.compare(chunk, 0, begin.length) !== 0) {
          throw new Error(`expected ${begin}, and the server answered ${chunk.subarray(0, 40)}`)
        }
        length ??= chunk.length
        received += chunk.length
        if (received > length) throw new Error('the server gave answers of different lengths')
        if (received < length) return
        received = 0
        connection.answered()
      })
    })

  const connections = await Promise.all(Array.from({ length: CONNECTIONS }, open))
  await answerOf(connections[0])
  return connections
}

/** @param {Connection} connection */
function answerOf(connection) {
  return new Promise((resolve) => {
    connection.answered = () => resolve(undefined)
    connection.send()
  })
}

/**
 * Number of answers when each connection sends its next request as soon as it has the answer, and how long it took.
 *
 * @param {Connection[]} connections
 * @param {number} ms
 */
export async function throughput(connections, ms) {
  let answered = 0
  const begunAt = performance.now()
  await Promise.all(
    connections.map(
      (connection) =>
        new Promise((resolve) => {
          connection.answered = () => {
            answered++
            if (performance.now() - begunAt < ms) connection.send()
            else resolve(undefined)
          }
          connection.send()
        }),
    ),
  )
  return { answered, tookMs: performance.now() - begunAt }
}

/**
 * Percentiles, in microseconds, of the time from the instant a request was due to its answer, at a fixed rate of arrivals:
 * a server that falls behind does not slow down those who call it.
 *
 * @param {Connection[]} connections
 * @param {number} perSecond
 * @param {number} ms
 * @returns {Promise<{ p50: number, p99: number }>}
 */
export function latency(connections, perSecond, ms) {
  const times = createHistogram()
  const free = [...connections]
  /** @type {number[]} */
  const waiting = []
  const total = Math.round((perSecond * ms) / 1000)
  let arrived = 0
  let answered = 0

  /** @type {(connection: Connection, dueAt: number) => void} */
  const begin = (connection, dueAt) => {
    connection.answered = () => {
      times.record(Math.max(1, Math.round((performance.now() - dueAt) * 1000)))
      answered++
      const nextDueAt = waiting.shift()
      if (nextDueAt === undefined) free.push(connection)
      else begin(connection, nextDueAt)
    }
    connection.send()
  }
  const begunAt = performance.now()
  return new Promise((resolve) => {
    const tick = () => {
      const passed = performance.now() - begunAt
      for (; arrived < total && (arrived * 1000) / perSecond <= passed; arrived++) {
        const dueAt = begunAt + (arrived * 1000) / perSecond
        const connection = free.pop()
        if (connection === undefined) waiting.push(dueAt)
        else begin(connection, dueAt)
      }
      if (answered === total) resolve({ p50: times.percentile(50), p99: times.percentile(99) })
      else setImmediate(tick)
    }
    tick()
  })
}
