import { ensurePage } from '../../scripts/page.js'

/** Before all tests: what mounts the console needs its page, and a fresh clone has none. */
export async function setup(): Promise<void> {
  await ensurePage()
}
