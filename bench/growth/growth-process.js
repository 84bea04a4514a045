/** One measurement of growth, in a process of its own: `growth-process.js entries token 1000 5`. Prints JSON. */
import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { createVerifier } from '../shared/built-package.js'
import { AUDIENCE, createKeys, headersOf, lookUpByDigest, startIssuer } from '../shared/credentials.js'
import { LOOK_UP } from '../shared/names.js'
import { interleave, median, ratioOf, timeOneByOne } from '../shared/timing.js'

/** @import { KeyStore } from '../shared/built-package.js' */
/** @import { Accepts, Decide, Issuer } from '../shared/types.d.ts' */

/** Decisions of one turn. */
const CALLS = 5000
/** Usage is written every 10 s from a random moment within the first: after this long no count is part of the measured heap. */
const USAGE_WRITTEN_MS = 20_500

/** Tokens of a process that count as its first. */
const FIRST = 1000

/** Credentials that are decided on before those that are counted. */
const WARM_UPS = 100

/** @type {Record<string, (...args: any[]) => Promise<object>>} */
const measurements = {
  /**
   * A cache of this many credentials: a decision beside the look-up that nobody can leave out, and the heap of an entry.
   *
   * @param {Accepts} accepts
   * @param {number} size
   * @param {number} rounds
   */
  async entries(accepts, size, rounds) {
    const issuer = await startIssuer()
    const { store, keys } = await createKeys(accepts === 'key' ? size + WARM_UPS : 0)
    const all = accepts === 'key' ? keys : issuer.tokens('ES256', size + WARM_UPS)
    const credentials = all.splice(WARM_UPS)
    const originals = headersOf(credentials)
    const verifier = verifierOf(issuer, asDatabase(store))
    /** @type {Decide} */
    const decide = (authorization) => verifier.authenticate({ authorization })
    // Compile the code before the heap is measured: it is no part of an entry.
    await timeOneByOne(decide, headersOf(all), 50 * WARM_UPS)

    const before = heap()
    await timeOneByOne(decide, originals, originals.length)
    if (accepts === 'key' && size >= 10_000) await pause(USAGE_WRITTEN_MS)
    const filled = heap()
    // The claims are the application's, and large or small with its tokens: they are subtracted.
    const claims = accepts === 'token' ? credentials.map(claimsOf) : []
    const bytes = (filled - before - (heap() - filled)) / size
    claims.length = 0
    // The pause let them go out of use; bring each back before it is timed.
    await timeOneByOne(decide, originals, originals.length)

    const lookUp = lookUpByDigest(credentials)
    /** @type {(name: string, answer: Decide, inputs: Buffer[]) => { name: string, time(): Promise<number> }} */
    const turn = (name, answer, inputs) => {
      let from = 0
      return {
        name,
        time() {
          from += CALLS
          return timeOneByOne(answer, inputs, CALLS, from)
        },
      }
    }
    const figures = await interleave([turn('ours', decide, originals), turn(LOOK_UP, lookUp, credentials)], rounds)
    return { microseconds: figures.ours.typical, ratio: ratioOf(figures.ours, figures[LOOK_UP]), bytes }
  },

  /**
   * New tokens of a process that has decided on none before, and its later ones.
   *
   * @param {string} file the issuer and its tokens, made by another process
   */
  async firstTokens(file) {
    const { issuer, jwks, tokens } = JSON.parse(readFileSync(file, 'utf8'))
    const originals = headersOf(tokens.map((/** @type {string} */ token) => Buffer.from(token)))
    const verifier = createVerifier({ issuer: [{ issuer, jwks }], audience: AUDIENCE, keys: false })
    await verifier.ready()
    /** @type {Decide} */
    const decide = (authorization) => verifier.authenticate({ authorization })
    const first = await timeOneByOne(decide, originals.slice(0, FIRST), FIRST)
    const between = originals.slice(FIRST, -FIRST)
    await timeOneByOne(decide, between, between.length)
    return { first, later: await timeOneByOne(decide, originals.slice(-FIRST), FIRST) }
  },

  /**
   * Key sets of one key for each algorithm and of 1 000.
   *
   * @param {number} rounds
   */
  async keySet(rounds) {
    const issuers = { one: await startIssuer(), thousand: await startIssuer({ moreKeys: 997 }) }
    /** @type {number[]} */
    const firstUses = []
    const turns = Object.entries(issuers).map(([name, issuer]) => {
      const originals = headersOf(issuer.tokens('ES256', 520))
      return {
        name,
        async time() {
          const verifier = verifierOf(issuer, false)
          /** @type {Decide} */
          const decide = (authorization) => verifier.authenticate({ authorization })
          const begunAt = performance.now()
          await decide(String(originals[0]))
          if (name === 'thousand') firstUses.push(performance.now() - begunAt)
          return timeOneByOne(decide, originals.slice(20), 500)
        },
      }
    })
    const { one, thousand } = await interleave(turns, rounds)
    return {
      one: one.typical,
      thousand: thousand.typical,
      ratio: ratioOf(thousand, one),
      // Both with the fetch from loopback: the first in the process, before its code is compiled, and the median of all.
      coldFirstUseMs: firstUses[0],
      firstUseMs: median(firstUses),
    }
  },
}

/**
 * @param {Issuer} issuer
 * @param {KeyStore | false} keys
 */
function verifierOf(issuer, keys) {
  return createVerifier({
    issuer: [{ issuer: issuer.issuer, jwksUri: issuer.jwksUri }],
    audience: AUDIENCE,
    keys,
    cache: { maxEntries: 200_000, maxBytes: 1_000_000_000, ttlSeconds: 3600 },
  })
}

/**
 * The store in memory behaves as a database: each row is a new object with strings of its own, and usage leaves the heap.
 *
 * @param {KeyStore} store
 * @returns {KeyStore}
 */
function asDatabase(store) {
  return {
    ...store,
    find: async (/** @type {string} */ id) => structuredClone(await store.find(id)),
    addUsage: async () => {},
  }
}

/** @param {Buffer} token */
function claimsOf(token) {
  return JSON.parse(Buffer.from(String(token).split('.')[1], 'base64url').toString())
}

function heap() {
  globalThis.gc?.()
  globalThis.gc?.()
  return process.memoryUsage().heapUsed
}

const [measurement, ...args] = process.argv.slice(2)
const result = await measurements[measurement](...args.map((arg) => (/^\d+$/.test(arg) ? Number(arg) : arg)))
console.log(JSON.stringify(result))
process.exit()
