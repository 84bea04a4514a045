import type { Context, Next } from 'koa'
import type { RevocationReceiverOptions } from '../src/receiver/contract.js'
import { createFront } from '../src/receiver/front.js'
import { write } from './koa-answer.js'

/** A Koa middleware, for Koa 2 and 3. Nothing runs behind it. */
export interface RevocationReceiver {
  (ctx: Context, next: Next): Promise<void>
  /** Waits for what is under way, and stops fetching keys. It does not close the keyring. */
  close(): Promise<void>
}

/**
 * Takes what providers send to end sessions and accounts, and revokes the access tokens that it names:
 * `router.post('/events', createRevocationReceiver({ keyring, issuers }))`. Providers send no credential of this API: mount
 * it before `vantageAuth()`. A body parser may run before it.
 *
 * @throws {TypeError} for a wrong option
 */
export function createRevocationReceiver(...given: [options: RevocationReceiverOptions]): RevocationReceiver {
  const front = createFront(given, "router.post('/events', createRevocationReceiver(options))")
  const receive = async (ctx: Context): Promise<void> => {
    const parsedBody = () => (ctx.request as { body?: unknown }).body
    const answer = await front.answer({ req: ctx.req, res: ctx.res, parsedBody })
    if (!ctx.headerSent) write(ctx, answer)
  }
  return Object.assign(receive, { close: front.close })
}
