/**
 * Sends the whole request table in a process of its own, which `--unhandled-rejections=strict` ends at the first promise
 * whose rejection nobody looks at. Prints how many answers came.
 */
import { exchange, FRAMEWORKS, type Framework, type Running } from './frameworks.js'
import { closeAll, ROWS, SERVICES, start } from './requests.js'

async function countAnswers(framework: Framework): Promise<number> {
  const running = new Map<string, Running>()
  for (const name of Object.keys(SERVICES) as (keyof typeof SERVICES)[]) running.set(name, await start(framework, name))
  let count = 0
  for (const { service, request, answer } of ROWS) {
    const { status } = await exchange((running.get(service) as Running).port, request)
    if (status === answer.status) count++
  }
  return count
}

const counts = await Promise.all(FRAMEWORKS.map(countAnswers))
await closeAll()
// A rejection is reported once the microtasks are done.
await new Promise(setImmediate)
console.log(counts.reduce((sum, count) => sum + count))
