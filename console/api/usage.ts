import { json, notFound } from '../answers.js'
import { limitsOf } from '../caller.js'
import { DAYS_QUERY } from '../query.js'
import type { Handler } from '../task.js'
import { readSeen } from './seen.js'

export const usageOfKey: Handler = async (task) => {
  if ((await readSeen(task)) === undefined) return notFound()
  return json(200, await task.keys.usage(task.id, task.query(DAYS_QUERY)))
}

export const usageOfAll: Handler = async ({ keys, caller, query }) =>
  json(200, await keys.totalUsage({ ...query(DAYS_QUERY), ...limitsOf(caller) }))
