import { setTimeout as delay } from 'node:timers/promises'

/** Waits until something is true. The limit only tells "never" from "later", so it is generous. */
export async function until(condition: () => unknown, limitMs = 20_000): Promise<void> {
  const limit = performance.now() + limitMs
  while (!(await condition())) {
    if (performance.now() > limit) throw new Error('it did not come about')
    await delay(5)
  }
}
