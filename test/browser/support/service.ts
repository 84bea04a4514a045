import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

/** An API in a process of its own, which accepts the keys of a store. */
export interface Service {
  readonly url: string
  /** Calls `/v1/auth/test` with a key: the status. */
  call(key: string): Promise<number>
  /** Calls until it refuses the key: when that answer came, by the clock of this machine. */
  refusedAt(key: string): Promise<number>
  /** Ends the process, which writes its uses. */
  close(): Promise<void>
}

const PROGRAM = fileURLToPath(new URL('service-process.ts', import.meta.url))

/** @param store its URL */
export async function startService(store: string): Promise<Service> {
  const child = spawn(process.execPath, ['--import', 'tsx', PROGRAM], {
    env: { ...process.env, STORE: store },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const [url] = (await once(createInterface(child.stdout), 'line')) as [string]

  async function call(key: string): Promise<number> {
    const { status, body } = await fetch(`${url}/v1/auth/test`, { headers: { authorization: `Bearer ${key}` } })
    await body?.cancel()
    return status
  }

  return {
    url,
    call,
    async refusedAt(key) {
      while ((await call(key)) !== 401) await delay(10)
      return Date.now()
    },
    async close() {
      const exit = once(child, 'exit')
      // The process ends by itself when nobody holds its input.
      child.stdin.end()
      await exit
    },
  }
}
