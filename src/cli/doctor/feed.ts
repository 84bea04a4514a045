import { setTimeout as delay } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import type { ChangeFeed, KeyStore } from '../../store/contract.js'
import type { Connections } from '../../store/postgres/connections.js'
import { loadSqliteDriver } from '../../store/sqlite/driver.js'
import { sqliteKeyStore } from '../../store/sqlite/store.js'
import { type Examination, notMeasured, ok, warning, wrong } from './examination.js'

const SAMPLES = 5
/** A feed proves within a second whether notifications arrive; where they do not, changes are read every two seconds. */
const LONGEST_MS = 5000
const POLL_MS = 5

// The probe writes one row of a key back as it is. The triggers log a change then, as for a revocation; nothing of the key
// differs, and the audit trail tells of nothing. Services ask the store once more for that key. The line in the log of
// changes goes the way of all others, after seven days.

/** Measures how long a change takes through the database to whoever watches the store. */
export async function probePostgres(
  store: KeyStore,
  { read, transaction }: Connections,
  timeoutMs: number,
): Promise<Examination> {
  const [row] = (await read((ask) => ask('SELECT id FROM {schema}.vantage_keys ORDER BY created_at DESC LIMIT 1'))).rows
  if (typeof row?.id !== 'string') return NO_KEY
  const { id } = row
  return probe(store, id, true, timeoutMs, async () => {
    await transaction((ask) => ask('UPDATE {schema}.vantage_keys SET name = name WHERE id = $1', [id]))
  })
}

/** The same, over a connection of its own, as another process has it. */
export async function probeSqlite(path: string, timeoutMs: number): Promise<Examination> {
  const database = loadSqliteDriver().open(`${pathToFileURL(path).href}?mode=rw`)
  const store = sqliteKeyStore({ path })
  try {
    database.exec('PRAGMA busy_timeout = 1000')
    const id = database.prepare('SELECT id FROM vantage_keys ORDER BY created_at DESC LIMIT 1').get()?.id
    if (typeof id !== 'string') return NO_KEY
    const write = database.prepare('UPDATE vantage_keys SET name = name WHERE id = ?')
    return await probe(store, id, false, timeoutMs, async () => void write.run(id))
  } catch (error) {
    return wrong(
      'feed',
      null,
      `a key cannot be written: ${(error as Error).message}`,
      'run it as a user that may write the file and its folder',
    )
  } finally {
    database.close()
    await store.close()
  }
}

const NO_KEY = notMeasured('feed', null, 'the store has no key to write back as it is')

/** @param isPushed whether changes should be pushed, and not only be found when somebody looks */
async function probe(
  store: KeyStore,
  id: string,
  isPushed: boolean,
  timeoutMs: number,
  write: () => Promise<void>,
): Promise<Examination> {
  let heard: (() => void) | undefined
  const feed = store.watch?.((change) => {
    if ('id' in change && change.id === id) heard?.()
  }, 'observer')
  if (feed === undefined) return notMeasured('feed', null, 'the store tells of no changes')
  const lags: number[] = []
  try {
    await until(() => feed.state !== 'down', feed, Math.max(timeoutMs, LONGEST_MS))
    for (let sample = 0; sample < SAMPLES; sample++) {
      let isHeard = false
      heard = () => {
        isHeard = true
      }
      const begunAt = performance.now()
      await write()
      await until(() => isHeard, feed, LONGEST_MS)
      if (!isHeard) break
      lags.push(performance.now() - begunAt)
    }
    return judge(lags, isPushed && feed.state === 'polling')
  } catch (error) {
    return wrong(
      'feed',
      null,
      `a key cannot be written: ${(error as Error).message}`,
      'run it as a role that may write keys',
    )
  } finally {
    await feed.close()
  }
}

function judge(lags: readonly number[], lacksPush: boolean): Examination {
  if (lags.length < SAMPLES) {
    return wrong(
      'feed',
      null,
      `a change was not heard within ${LONGEST_MS} ms`,
      'look at the triggers above; revoked keys are confirmed with the store meanwhile',
    )
  }
  const [shortest, longest] = [Math.min(...lags), Math.max(...lags)].map((lag) => Math.max(1, Math.round(lag)))
  const found = `${shortest} to ${longest} ms from the write to whoever watches, in ${SAMPLES} attempts`
  return lacksPush
    ? warning(
        'feed',
        null,
        `${found}; notifications do not arrive, changes are read`,
        'connect without a proxy that pools transactions',
      )
    : ok('feed', null, found)
}

async function until(holds: () => boolean, feed: ChangeFeed, limitMs: number): Promise<void> {
  const deadline = performance.now() + limitMs
  while (!holds() && performance.now() < deadline) {
    feed.poll?.()
    if (!holds()) await delay(POLL_MS)
  }
}
