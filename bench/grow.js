/** One measurement of `growing.js`, in a process of its own: prints JSON. */
import { setTimeout as pause } from 'node:timers/promises'
import { createVerifier } from '../dist/esm/src/index.js'
import { AUDIENCE, createKeys, headersOf, LIMIT, lookUpByDigest, startIssuer } from './material.js'
import { interleave, median, ratioOf, timeOneByOne } from './measure.js'

/** Decisions of one turn. */
const CALLS = 5000
/** A little more than the time between two writes of usage, after which no count is pending. */
const USAGE_WRITTEN_MS = 10_500

/** Credentials that come before those that are counted. */
const WARM_UPS = 100

const measurements = {
  /** A cache of this many credentials: a decision beside the look-up that nobody can leave out, and the heap of an entry. */
  async entries(accepts, size, rounds) {
    const issuer = await startIssuer()
    const { store, keys } = await createKeys(accepts === 'key' ? size + WARM_UPS : 0)
    const all = accepts === 'key' ? keys : issuer.tokens('ES256', size + WARM_UPS)
    const credentials = all.splice(WARM_UPS)
    const originals = headersOf(credentials)
    const verifier = verifierOf(issuer, asDatabase(store))
    const decide = (authorization) => verifier.authenticate({ authorization })
    // Code that is compiled is no part of an entry.
    await timeOneByOne(decide, headersOf(all), 50 * WARM_UPS)

    const before = heap()
    await timeOneByOne(decide, originals, originals.length)
    if (accepts === 'key' && size >= 10_000) await pause(USAGE_WRITTEN_MS)
    const filled = heap()
    // What the claims take is the token's own, however they are kept.
    const claims = accepts === 'token' ? credentials.map(claimsOf) : []
    const bytes = (filled - before - (heap() - filled)) / size
    claims.length = 0
    // Each is in use again, as it was before the pause.
    await timeOneByOne(decide, originals, originals.length)

    const lookUp = lookUpByDigest(credentials)
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
    const figures = await interleave([turn('ours', decide, originals), turn(LIMIT, lookUp, credentials)], rounds)
    return { microseconds: figures.ours.typical, ratio: ratioOf(figures.ours, figures[LIMIT]), bytes }
  },

  /** Key sets of one key for each algorithm and of 1 000. */
  async keySet(rounds) {
    const issuers = { one: await startIssuer(), thousand: await startIssuer({ moreKeys: 997 }) }
    const firstUses = []
    const turns = Object.entries(issuers).map(([name, issuer]) => {
      const originals = headersOf(issuer.tokens('ES256', 520))
      return {
        name,
        async time() {
          const verifier = verifierOf(issuer, false)
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
      // With the fetch from loopback. Of the first in the process, in which nothing is compiled yet, and of all.
      coldFirstUseMs: firstUses[0],
      firstUseMs: median(firstUses),
    }
  },
}

function verifierOf(issuer, keys) {
  return createVerifier({
    issuer: [{ issuer: issuer.issuer, jwksUri: issuer.jwksUri }],
    audience: AUDIENCE,
    keys,
    cache: { maxEntries: 200_000, maxBytes: 1_000_000_000, ttlSeconds: 3600 },
  })
}

/** Rows come from a database as objects and strings of their own, and usage goes there. */
function asDatabase(store) {
  return { ...store, find: async (id) => structuredClone(await store.find(id)), addUsage: async () => {} }
}

function claimsOf(token) {
  return JSON.parse(Buffer.from(String(token).split('.')[1], 'base64url').toString())
}

function heap() {
  globalThis.gc()
  globalThis.gc()
  return process.memoryUsage().heapUsed
}

const [measurement, ...args] = process.argv.slice(2)
const result = await measurements[measurement](...args.map((arg) => (/^\d+$/.test(arg) ? Number(arg) : arg)))
console.log(JSON.stringify(result))
process.exit()
