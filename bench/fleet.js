/**
 * `npm run bench:fleet`: eight services on one PostgreSQL. Takes about ten minutes; `-- --small` takes two, and
 * `-- --part revocation` (keys, usage, writes) takes one of its parts. `-- --part keys --keys 10000000` is the large one,
 * `-- --check` the small one of revocation, which fails when the bound does not hold.
 */
import { fork } from 'node:child_process'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import pg from 'pg'
import { createKeyring } from '../dist/esm/src/index.js'
import { postgresKeyStore } from '../dist/esm/src/postgres.js'
import { startPostgres } from '../test/support/postgres.js'
import { startProxy } from '../test/support/postgres-proxy.js'
import { writeFleetReport } from './fleet-report.js'
import { loadResult, median, saveResult } from './measure.js'

const { values } = parseArgs({
  // The name under which bench/prepare.js was asked for it.
  allowPositionals: true,
  options: {
    small: { type: 'boolean', default: false },
    check: { type: 'boolean', default: false },
    part: { type: 'string' },
    keys: { type: 'string' },
    services: { type: 'string', default: '8' },
  },
})
const services = Number(values.services)
const small = values.small || values.check
/** The bound from a commit to the last acceptance, 99th percentile, of services that are pushed to. */
const BOUND_MS = 50
/** Mean pause between two revocations: one after the other without any would measure a machine that is full of them. */
const PAUSE_MS = 50
const now = () => Number(process.hrtime.bigint()) / 1e6

/** Services of a fleet, each a process; `call` has one of them do something, `all` all of them. */
async function startFleet(url) {
  const processes = await Promise.all(Array.from({ length: services }, () => startService()))
  const all = (command, given) => Promise.all(processes.map(({ call }) => call(command, given)))
  if (url) await all('open', { url })
  return { processes, all, stop: () => processes.map((one) => one.process.kill()) }
}

async function startService() {
  const process = fork(join(import.meta.dirname, 'fleet-worker.js'), { execArgv: [] })
  const calls = new Map()
  const refusals = new Map()
  const died = new Promise((_, reject) => {
    process.on('error', reject)
    process.on('exit', (code, signal) => reject(new Error(`a service ended by ${signal ?? code}`)))
  })
  // Whoever waits for an answer of it gets to know.
  died.catch(() => {})
  let serial = 0
  let progress = 0
  process.on('message', ({ call, answer, error, refused, progress: used, ...seen }) => {
    if (used !== undefined) progress = used
    else if (refused) refusals.get(refused)?.(seen)
    else if (error) calls.get(call)?.reject(new Error(error))
    else calls.get(call)?.resolve(answer)
  })
  return {
    process,
    call: (command, given = {}) =>
      Promise.race([
        died,
        new Promise((resolve, reject) => {
          calls.set(++serial, { resolve, reject })
          process.send({ call: serial, command, ...given })
        }),
      ]),
    /** Uses so far. */
    get progress() {
      return progress
    },
    /** When this service refused the key, and when it accepted it last. */
    refused: (key) => Promise.race([died, new Promise((resolve) => refusals.set(key, resolve))]),
  }
}

function quantile(sorted, q) {
  return sorted[Math.min(sorted.length - 1, Math.ceil(q * sorted.length) - 1)]
}

function spread(times) {
  const sorted = times.toSorted((a, b) => a - b)
  return { n: sorted.length, p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99), max: sorted.at(-1) }
}

/** Processor time of the machine since it started, in all and idle. */
function processorTimes() {
  const sum = (numbers) => numbers.reduce((total, n) => total + n, 0)
  const times = cpus().map(({ times }) => times)
  return { all: sum(times.map((each) => sum(Object.values(each)))), idle: sum(times.map(({ idle }) => idle)) }
}

async function withServer(measure) {
  const server = await startPostgres()
  try {
    const url = await server.emptyDatabase()
    const store = postgresKeyStore({ connectionString: `${url}?application_name=administration` })
    await store.migrate()
    try {
      return await measure({ server, url, store, keyring: createKeyring(store) })
    } finally {
      await store.close()
    }
  } finally {
    await server.stop()
  }
}

/** Revokes keys one after the other while all services accept them, and has something happen in between. */
async function revocation({ count, disturb, warmLoad = 1, through = (url) => url }) {
  return withServer(async ({ server, url, keyring }) => {
    const { direct, services: ofServices, close } = await through(url, server)
    const fleet = await startFleet(ofServices)
    try {
      const created = []
      for (let i = 0; i < count + 50; i++) created.push(await keyring.create({ subject: 's', scopes: ['jobs:read'] }))
      await fleet.all('warm', { keys: created.map(({ key }) => key) })
      await fleet.all('load', { perMs: warmLoad })
      const acceptedAfterCommit = []
      const untilAllRefuse = []
      const untilAllRefuseFromCall = []
      const before = processorTimes()
      for (let i = 0; i < count; i++) {
        await delay(Math.random() * 2 * PAUSE_MS)
        const { key, record } = created[i]
        const refused = Promise.all(fleet.processes.map((one) => one.refused(key)))
        // It is awaited below; the server has to be stopped also when a service dies before that.
        refused.catch(() => {})
        await fleet.all('watch', { key })
        const undo = await disturb?.({ i, count, server, url: direct, fleet })
        const begunAt = now()
        await keyring.revoke(record.id)
        const committedAt = now()
        // When the database could be reached again, where it could not.
        const reachableAt = (await undo?.()) ?? 0
        const seen = await refused
        const lastAcceptedAt = Math.max(...seen.map(({ acceptedAt }) => acceptedAt))
        const allRefusedAt = Math.max(...seen.map(({ at }) => at))
        acceptedAfterCommit.push(Math.max(0, lastAcceptedAt - committedAt))
        untilAllRefuse.push(allRefusedAt - Math.max(committedAt, reachableAt))
        untilAllRefuseFromCall.push(allRefusedAt - Math.max(begunAt, reachableAt))
      }
      const after = processorTimes()
      await delay(600)
      const reports = await fleet.all('report')
      return {
        acceptedAfterCommit: spread(acceptedAfterCommit),
        untilAllRefuse: spread(untilAllRefuse),
        untilAllRefuseFromCall: spread(untilAllRefuseFromCall),
        processorsBusy: 1 - (after.idle - before.idle) / (after.all - before.all),
        acceptedAfterRefusal: reports.reduce((sum, { wrong }) => sum + wrong, 0),
      }
    } finally {
      fleet.stop()
      await close?.()
    }
  })
}

const undisturbed = async (url) => ({ direct: url, services: url })

async function viaProxy(url, server) {
  const proxy = await startProxy(server.port)
  proxies.set(server.port, proxy)
  return { direct: url, services: proxy.through(url), close: proxy.close }
}
const proxies = new Map()

const parts = {
  async revocation() {
    const plain = await revocation({ count: small ? 60 : 1000, through: undisturbed })
    const listenerCut = await revocation({
      count: small ? 10 : 100,
      through: undisturbed,
      async disturb({ server, url }) {
        await server.sql(
          url,
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'vantage-auth' AND query NOT LIKE 'SELECT pg_term%'`,
        )
      },
    })
    const restart = await revocation({
      count: small ? 2 : 10,
      through: undisturbed,
      async disturb({ server }) {
        await server.halt()
        await server.start()
        await delay(50)
      },
    })
    const stall = await revocation({
      count: small ? 1 : 5,
      through: viaProxy,
      async disturb({ server }) {
        const proxy = proxies.get(server.port)
        proxy.stall()
        return async () => {
          // Longer than what the states of the feed allow.
          await delay(8000)
          proxy.resume()
          return now()
        }
      },
    })
    return { plain, listenerCut, restart, stall }
  },

  async keys() {
    const sizes = values.keys ? [Number(values.keys)] : small ? [10_000] : [10_000, 100_000, 1_000_000]
    const results = {}
    for (const size of sizes) {
      results[size] = await withServer(async ({ server, url, keyring }) => {
        // The triggers would log each of them; nobody listens yet.
        await server.sql(url, 'ALTER TABLE vantage_keys DISABLE TRIGGER USER')
        await server.sql(
          url,
          `INSERT INTO vantage_keys (id, digest, subject, environment, scopes, created_at, expires_at)
            SELECT left(md5(i::text), 12), 'sha256:' || md5(i::text) || md5((-i)::text), 'user_' || i, 'live', 'jobs:read',
              now(), now() + interval '1 year' FROM generate_series(1, ${size}) AS i ON CONFLICT DO NOTHING`,
        )
        await server.sql(url, 'ALTER TABLE vantage_keys ENABLE TRIGGER USER')
        await server.sql(url, 'VACUUM ANALYZE vantage_keys')
        const keys = []
        for (let i = 0; i < 200; i++) keys.push((await keyring.create({ subject: 's', scopes: ['jobs:read'] })).key)
        const one = await startService()
        const before = await one.call('report')
        const { startMs } = await one.call('open', { url })
        const { times } = await one.call('cold', { keys })
        await one.call('warm', { keys })
        const cached = []
        for (let round = 0; round < 9; round++) {
          cached.push((await one.call('measure', { key: keys[round], calls: 20_000 })).microseconds)
        }
        const after = await one.call('report')
        one.process.kill()
        return {
          startMs,
          coldMicroseconds: spread(times),
          cachedMicroseconds: median(cached),
          memoryMiB: (after.rss - before.rss) / 2 ** 20,
        }
      })
    }
    return results
  },

  async usage() {
    return withServer(async ({ server, url, keyring }) => {
      const [perSecond, seconds] = small ? [1000, 15] : [5000, 60]
      const keys = []
      for (let i = 0; i < 500; i++) keys.push((await keyring.create({ subject: 's', scopes: ['jobs:read'] })).key)
      const written = async () => {
        await server.sql(url, 'SELECT pg_stat_clear_snapshot()')
        const [row] = await server.sql(
          url,
          `SELECT (n_tup_ins + n_tup_upd)::float AS rows FROM pg_stat_user_tables WHERE relname = 'vantage_usage'`,
        )
        return row
      }
      const counted = async () =>
        Number((await server.sql(url, 'SELECT coalesce(sum(count), 0)::float AS n FROM vantage_usage'))[0].n)

      const fleet = await startFleet(url)
      const before = await written()
      const rate = perSecond / services
      const uses = await fleet.all('use', { keys, perSecond: rate, seconds })
      await fleet.all('close')
      const exact = await counted()
      await delay(1500)
      const after = await written()
      const used = uses.reduce((sum, { used }) => sum + used, 0)

      // A crash: what was counted since the last flush, and nothing more, is missing.
      const crashing = await startFleet(url)
      const [first, ...others] = crashing.processes
      first.call('use', { keys, perSecond: rate, seconds: 60 }).catch(() => {})
      const rest = Promise.all(others.map(({ call }) => call('use', { keys, perSecond: rate, seconds: 14 })))
      await delay(14_000)
      first.process.kill('SIGKILL')
      const usedByOthers = (await rest).reduce((sum, { used }) => sum + used, 0)
      await Promise.all(others.map(({ call }) => call('close')))
      // Of the one that was killed what it had said last: it may have used some more.
      const missing = first.progress + usedByOthers - ((await counted()) - exact)
      const reports = [...(await fleet.all('report')), ...(await Promise.all(others.map(({ call }) => call('report'))))]
      fleet.stop()
      crashing.stop()
      return {
        flushFailures: reports.reduce((sum, { flushFailures }) => sum + flushFailures, 0),
        perSecond,
        seconds,
        used,
        counted: exact,
        rowsWrittenPerSecond: (after.rows - before.rows) / seconds,
        missingAfterKill: missing,
        oneFlush: rate * 10,
      }
    })
  },

  async writes() {
    return withServer(async ({ server, url, store }) => {
      const operations = small ? 1000 : 10_000
      const heard = []
      const feed = store.watch((change) => heard.push('id' in change ? change.id : '*'))
      while (feed.state !== 'live') await delay(10)
      const fleet = await startFleet()
      const begunAt = now()
      let busy = true
      const byHand = (async () => {
        const client = new pg.Client({ connectionString: url })
        await client.connect()
        let statements = 0
        while (busy) {
          await client.query(
            `UPDATE vantage_keys SET name = 'renamed' WHERE id IN (SELECT id FROM vantage_keys LIMIT 20)`,
          )
          await client.query(`DELETE FROM vantage_keys WHERE id IN (SELECT id FROM vantage_keys ORDER BY id LIMIT 1)`)
          statements += 2
          await delay(20)
        }
        // The last word: whatever was heard before, every key is to be looked at again.
        await client.query('TRUNCATE vantage_keys')
        await client.end()
        return statements + 1
      })()
      const outcomes = await fleet.all('administer', { url, operations: operations / services })
      const elapsed = now() - begunAt
      const revoked = outcomes.flatMap(({ revoked }) => revoked)
      const rows = await server.sql(url, 'SELECT id FROM vantage_keys WHERE revoked_at IS NULL AND id = ANY ($1)', [
        revoked,
      ])
      busy = false
      const statements = await byHand
      const limit = now() + 20_000
      while (!heard.includes('*') && now() < limit) await delay(20)
      fleet.stop()
      await feed.close()
      const ids = outcomes.flatMap(({ ids }) => ids)
      const told = new Set(heard)
      const logged = await server.sql(url, 'SELECT id, seq::float AS seq, at FROM vantage_changes ORDER BY seq')
      const failures = {}
      for (const { failures: some } of outcomes) {
        for (const [name, n] of Object.entries(some)) failures[name] = (failures[name] ?? 0) + n
      }
      const [{ deadlocks }] = await server.sql(
        url,
        'SELECT deadlocks::int FROM pg_stat_database WHERE datname = current_database()',
      )
      return {
        operations: outcomes.reduce((sum, { done }) => sum + done, 0),
        perSecond: outcomes.reduce((sum, { done }) => sum + done, 0) / (elapsed / 1000),
        handWritten: statements,
        // Keys that the statements by hand deleted before their turn came: KeyNotFoundError and KeyStateError.
        failures,
        duplicateIds: ids.length - new Set(ids).size,
        revocationsLost: rows.length,
        deadlocks,
        changes: logged.length,
        keysNotTold: ids.filter((id) => !told.has(id)).length,
        truncateTold: told.has('*'),
        outOfOrder: logged.filter(({ at }, i) => i > 0 && at < logged[i - 1].at).length,
      }
    })
  },
}

/** Fails at once for a key that came back; for the bound when it is exceeded twice over, in two runs: CI has more to do. */
async function checkRevocation() {
  for (const _ of [1, 2]) {
    const cases = await parts.revocation()
    const came = Object.values(cases).reduce((sum, { acceptedAfterRefusal }) => sum + acceptedAfterRefusal, 0)
    const { p50, p99 } = cases.plain.acceptedAfterCommit
    console.log(
      `last accepted after the commit: p50 ${p50.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms, bound ${BOUND_MS} ms (p99)`,
    )
    console.log(`accepted after a refusal: ${came}`)
    if (came > 0) return false
    if (p99 <= 2 * BOUND_MS) return true
  }
  return false
}

if (values.check) process.exit((await checkRevocation()) ? 0 : 1)

const names = values.part ? [values.part] : Object.keys(parts)
const results = { ...loadResult('fleet')?.results }
for (const name of names) {
  const result = await parts[name]()
  results[name] = name === 'keys' ? { ...results.keys, ...result } : result
  console.log(
    name,
    JSON.stringify(result, (_, value) => (typeof value === 'number' ? Number(value.toFixed(2)) : value), 2),
  )
  // A look is no result.
  if (!small) saveResult('fleet', { services, results })
  if (!small) writeFleetReport(loadResult('fleet'))
}
process.exit()
