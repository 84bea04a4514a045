import type { KeyRecord } from '../../src/keyring/records.js'
import { type Caller, maySee } from '../caller.js'
import type { Task } from '../task.js'

/** The key that a request is about; `undefined` where there is none, and where the caller may not see it. */
export async function readSeen({ keys, caller, id }: Task): Promise<KeyRecord | undefined> {
  const record = await keys.get(id)
  return record !== undefined && maySee(caller, record) ? record : undefined
}

/**
 * Looks once more at what was asked for with the caller's limits, so that a mistake in a filter shows nobody another's keys.
 *
 * @throws {Error} where the caller may not see one of them
 */
export function checkSeen(caller: Caller, found: readonly Parameters<typeof maySee>[1][]): void {
  if (found.every((one) => maySee(caller, one))) return
  throw new Error('the key store gave what belongs to others than it was asked for')
}
