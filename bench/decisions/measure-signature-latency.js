/**
 * Where to verify signatures: latency on the event loop and on the thread pool, when requests keep arriving whatever the
 * answers take.
 */
import { spawn } from 'node:child_process'
import { generateKeyPairSync, sign, verify } from 'node:crypto'
import { compactVerify } from 'jose'

/** @import { KeyObject } from 'node:crypto' */
/** @import { LatencyResults } from '../shared/types.d.ts' */

/**
 * One signature to be verified.
 *
 * @typedef {object} Work
 * @property {string | null} digest
 * @property {Buffer} input
 * @property {Buffer} signature
 * @property {string} token
 * @property {{ key: KeyObject, dsaEncoding: 'ieee-p1363' }} key
 */

/**
 * Ways to verify one signature.
 *
 * @type {{ name: string, verify(work: Work): unknown }[]}
 */
const WAYS = [
  {
    name: 'one-shot',
    verify: ({ digest, input, key, signature }) => verify(digest, input, key, signature),
  },
  {
    name: 'thread pool',
    verify: ({ digest, input, key, signature }) =>
      new Promise((resolve, reject) =>
        verify(digest, input, key, signature, (error, made) => (error ? reject(error) : resolve(made))),
      ),
  },
  { name: 'jose', verify: ({ token, key }) => compactVerify(token, key.key) },
]

/** @type {Record<string, { digest: string | null, createKeyPair(): { publicKey: KeyObject, privateKey: KeyObject } }>} */
const ALGORITHMS = {
  RS256: { digest: 'sha256', createKeyPair: () => generateKeyPairSync('rsa', { modulusLength: 2048 }) },
  ES256: { digest: 'sha256', createKeyPair: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }) },
  EdDSA: { digest: null, createKeyPair: () => generateKeyPairSync('ed25519') },
  ES384: { digest: 'sha384', createKeyPair: () => generateKeyPairSync('ec', { namedCurve: 'P-384' }) },
}
/** Shares of what the event loop alone can verify. */
const LOADS = [0.3, 0.6, 0.9]

/** @param {{ seconds: number }} effort how long each figure is taken */
export async function measureSignatureLatency({ seconds }) {
  /** @type {LatencyResults} */
  const results = {}
  for (const alg of Object.keys(ALGORITHMS)) {
    const work = signedWith(alg)
    const serviceMs = serviceTime(work)
    results[alg] = {}
    for (const core of ['idle', 'busy']) {
      const busy = core === 'busy' ? spawn(process.execPath, ['-e', 'for (;;);']) : undefined
      results[alg][core] = {}
      for (const load of LOADS) {
        const dues = arrivals(serviceMs / load, seconds * 1000)
        /** @type {LatencyResults[string][string][string]} */
        const ways = {}
        for (const way of WAYS) ways[way.name] = await latencyOf(() => way.verify(work), dues)
        results[alg][core][load] = ways
      }
      busy?.kill('SIGKILL')
    }
  }
  return results
}

/**
 * @param {string} alg
 * @returns {Work}
 */
function signedWith(alg) {
  const { digest, createKeyPair } = ALGORITHMS[alg]
  const { publicKey, privateKey } = createKeyPair()
  /** @param {object} value */
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const input = Buffer.from(`${part({ alg, typ: 'at+jwt' })}.${part({ sub: 'x'.repeat(300) })}`)
  const dsaEncoding = /** @type {const} */ ('ieee-p1363')
  const signature = sign(digest, input, { key: privateKey, dsaEncoding })
  const token = `${input}.${signature.toString('base64url')}`
  return { digest, input, signature, token, key: { key: publicKey, dsaEncoding } }
}

/**
 * Milliseconds of one on the event loop.
 *
 * @param {Work} work
 */
function serviceTime(work) {
  const times = Array.from({ length: 300 }, () => {
    const begunAt = performance.now()
    WAYS[0].verify(work)
    return performance.now() - begunAt
  })
  return times.sort((a, b) => a - b)[times.length >> 1]
}

/**
 * Instants of a Poisson process, in milliseconds from its beginning: the same for every way.
 *
 * @param {number} meanGapMs
 * @param {number} spanMs
 */
function arrivals(meanGapMs, spanMs) {
  /** @type {number[]} */
  const dues = []
  for (let due = 0; due < spanMs; due += meanGapMs * -Math.log(1 - Math.random())) dues.push(due)
  return dues
}

/**
 * Starts each piece of work when it is due, or as soon after as the event loop is free. Latencies in microseconds.
 *
 * @param {() => unknown} start
 * @param {number[]} dues
 */
async function latencyOf(start, dues) {
  /** @type {number[]} */
  const latencies = []
  const pending = []
  const begunAt = performance.now()
  /** @param {number} due */
  const end = (due) => latencies.push((performance.now() - begunAt - due) * 1000)
  for (let next = 0; next < dues.length; ) {
    for (; next < dues.length && dues[next] <= performance.now() - begunAt; next++) {
      const due = dues[next]
      const answer = start()
      if (answer instanceof Promise) pending.push(answer.then(() => end(due)))
      else end(due)
    }
    await new Promise(setImmediate)
  }
  await Promise.all(pending)
  latencies.sort((a, b) => a - b)
  return { p50: latencies[latencies.length >> 1], p99: latencies[Math.floor(latencies.length * 0.99)] }
}
