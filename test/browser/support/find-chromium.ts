import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Chromium by the path in `CHROMIUM`, or on the path. */
export function findChromium(): string | undefined {
  const onPath = (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, 'chromium'))
  return [process.env.CHROMIUM ?? '', ...onPath].find((path) => path !== '' && existsSync(path))
}

/** Whether there is a browser to test with. Where `CI=true` its absence is a failure; elsewhere the reason is printed. */
export function chromiumIsThere(): boolean {
  if (findChromium() !== undefined) return true
  const reason = 'There is no chromium: install it (Debian: apt-get install chromium), or set CHROMIUM to its path'
  if (process.env.CI === 'true') throw new Error(reason)
  console.warn(`Skipped: ${reason}`)
  return false
}

/** How it is started. */
export const ARGUMENTS = [
  // In a container its sandbox cannot start. It shows pages of our own alone.
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]
