import { secured, unavailable } from './answers.js'
import { loadAssets } from './assets.js'
import type { KeyConsole, KeyConsoleOptions } from './contract.js'
import { createEventStreams } from './events.js'
import { toExpress } from './express.js'
import { toFastify } from './fastify.js'
import { toFetch } from './fetch.js'
import { createJudge, type Judge } from './judge.js'
import { toKoa } from './koa.js'
import { readConsoleOptions } from './options.js'

/**
 * Settings → API Keys, to mount into an application: a page, and the API that it uses. It knows nobody by itself: each
 * request is of whom `authorize` says, and shows and changes only what that caller may.
 *
 * It does not sign people in, and does not limit how often they ask.
 *
 * @throws {TypeError} for a wrong or unknown option, and where the page is not built
 */
export function createKeyConsole(options: KeyConsoleOptions): KeyConsole {
  const assets = loadAssets()
  const settings = readConsoleOptions(options)
  const { keyring, ownsKeyring, mount } = settings
  const streams = createEventStreams(keyring)
  const judge = createJudge({ settings, made: keyring.describe(), assets, streams })
  let closing: Promise<void> | undefined
  const answer: Judge = async (request) => (closing === undefined ? judge(request) : secured(unavailable()))

  async function end(): Promise<void> {
    await streams.close()
    if (ownsKeyring) await keyring.close()
  }

  return {
    express: () => toExpress(answer),
    koa: () => toKoa(answer),
    fastify: () => toFastify(answer),
    fetch: toFetch(answer, mount),
    close() {
      closing ??= end()
      return closing
    },
  }
}
