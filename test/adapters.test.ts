import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { exchange, FRAMEWORKS, type Running, type WireAnswer } from './support/frameworks.js'
import { closeAll, OUR_HEADERS, ROWS, SERVICES, start } from './support/requests.js'

const rejections: unknown[] = []
const record = (reason: unknown) => void rejections.push(reason)

beforeAll(() => {
  process.on('unhandledRejection', record)
})

afterEach(async () => {
  // Node reports a rejection once the microtasks are done.
  await new Promise(setImmediate)
  expect(rejections.splice(0)).toEqual([])
})

afterAll(async () => {
  process.off('unhandledRejection', record)
  await closeAll()
})

/** What is ours of an answer: for a 500 of the framework, that it has no header of ours. */
function ours({ status, headers, body }: WireAnswer, of: WireAnswer): WireAnswer {
  const names = [...OUR_HEADERS, 'access-control-allow-origin'].filter((name) =>
    status === 500 ? name === 'www-authenticate' || name === 'retry-after' : headers[name] !== undefined,
  )
  return {
    status,
    headers: Object.fromEntries(names.flatMap((name) => (headers[name] === undefined ? [] : [[name, headers[name]]]))),
    body: of.status === 500 ? '' : body,
  }
}

describe('one table of requests on every framework', () => {
  const running = new Map<string, Running>()

  beforeAll(async () => {
    const names = Object.keys(SERVICES) as (keyof typeof SERVICES)[]
    for (const framework of FRAMEWORKS) {
      for (const name of names) running.set(`${framework.name} ${name}`, await start(framework, name))
    }
  })

  it.each(ROWS)('answers $name', async ({ service, request, answer, retryAfter = [] }) => {
    const answers = FRAMEWORKS.map(async ({ name }) => {
      const { port } = running.get(`${name} ${service}`) as Running
      const given = ours(await exchange(port, request), answer)
      if (!retryAfter.includes(given.headers['retry-after'] ?? '')) return [name, given]
      return [name, { ...given, headers: { ...given.headers, 'retry-after': answer.headers['retry-after'] } }]
    })
    expect(Object.fromEntries(await Promise.all(answers))).toEqual(
      Object.fromEntries(FRAMEWORKS.map(({ name }) => [name, answer])),
    )
  })
})
