import { setTimeout as delay } from 'node:timers/promises'
import type { AskedService } from '../contract.js'
import { CHECK_INTERVAL_MS } from './feed.js'
import { canBeLookedUp, hasEnded } from './process-mark.js'
import { type ServiceTable, SILENCE_MS, type StoredPresence } from './service-table.js'

/** When it is first looked whether those that have not answered are there still, and how often again. */
const LOOK_AFTER_MS = 100
/** By then each service has looked at the file once more. */
const NEXT_LOOK_MS = CHECK_INTERVAL_MS + 10
/** Processes that are looked up at a time: each takes some 20 us. */
const LOOKED_UP = 100
/** How long those are waited for that gave no sign of life: the clock may have been set. */
const SILENT_WAIT_MS = 1000

type AskTable = <T>(operate: (table: ServiceTable) => T) => Promise<T>

/**
 * Puts a question to the services that follow a file, and waits for their answers.
 *
 * @param tellNeighbours has the services of this process look at the file at once
 */
export async function askServices(
  ask: AskTable,
  tellNeighbours: () => void,
  limitMs: number,
): Promise<readonly AskedService[]> {
  let { question, services } = await ask((table) => table.ask())
  if (services.length === 0) {
    // A file that was restored has no rows: services put theirs back when they look at it next.
    await delay(NEXT_LOOK_MS)
    ;({ question, services } = await ask((table) => table.ask()))
  }
  const startedAt = performance.now()
  const startedOn = Date.now()
  tellNeighbours()

  const asked = new Set(services.map(({ id }) => id))
  const answers = new Map<string, number>()
  let lookAt = LOOK_AFTER_MS

  function isGone({ pid, pidSpace, started, seenAt }: StoredPresence, afterMs: number): boolean {
    const isSilent = afterMs >= SILENT_WAIT_MS && Math.abs(startedOn - seenAt) > SILENCE_MS
    // A process that is stopped gives no sign of life, and is there.
    if (isSilent && !canBeLookedUp({ pidSpace, started })) return true
    return hasEnded(pid, { pidSpace, started })
  }

  async function dropGone(unanswered: readonly StoredPresence[], afterMs: number): Promise<void> {
    const gone = unanswered.slice(0, LOOKED_UP).filter((service) => isGone(service, afterMs))
    if (gone.length === 0) return
    const ids = gone.map(({ id }) => id)
    for (const id of ids) asked.delete(id)
    // Where it cannot be written now, the next question finds them again.
    await ask((table) => table.remove(ids)).catch(() => {})
  }

  for (;;) {
    const readAt = performance.now()
    // Who has left since, or came later, is not waited for.
    const present = (await ask((table) => table.list())).filter(({ id }) => asked.has(id))
    const afterMs = performance.now() - startedAt
    const unanswered: StoredPresence[] = []
    for (const service of present) {
      if (service.answered < question) unanswered.push(service)
      else if (!answers.has(service.id)) answers.set(service.id, afterMs)
    }
    const isOver = unanswered.length === 0 || afterMs >= limitMs
    if (unanswered.length > 0 && (isOver || afterMs >= lookAt)) {
      await dropGone(unanswered, afterMs)
      lookAt = afterMs + LOOK_AFTER_MS
    }
    if (isOver) return present.flatMap((service) => (asked.has(service.id) ? [toAsked(service, answers)] : []))
    // Many services take longer to read.
    const pauseMs = 5 + 10 * (performance.now() - readAt)
    await delay(Math.max(1, Math.min(pauseMs, limitMs - (performance.now() - startedAt))))
  }
}

function toAsked(service: StoredPresence, answers: ReadonlyMap<string, number>): AskedService {
  const { id, host, pid, applicationName, since, heardOf } = service
  const answeredAfterMs = answers.get(id) ?? null
  return { host, pid, applicationName, since: answeredAfterMs === null ? null : since, heardOf, answeredAfterMs }
}
