/**
 * Sends the whole request table in a process of its own, which `--unhandled-rejections=strict` ends at the first promise
 * whose rejection nobody looks at. Prints how many answers came.
 */
import { exchange, FRAMEWORKS } from './frameworks.js'
import { closeAll, ROWS, SERVICES, start } from './requests.js'

let answers = 0
for (const framework of FRAMEWORKS) {
  const running = new Map<string, { port: number }>()
  for (const name of Object.keys(SERVICES) as (keyof typeof SERVICES)[]) running.set(name, await start(framework, name))
  for (const { service, request, answer } of ROWS) {
    const { port } = running.get(service) as { port: number }
    const { status } = await exchange(port, request)
    if (status === answer.status) answers++
  }
}
await closeAll()
// A rejection is reported once the microtasks are done.
await new Promise(setImmediate)
console.log(answers)
