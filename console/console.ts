import { refuseUncalled } from '../src/http/uncalled.js'
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
    express: called('express', "app.use('/settings/api-keys', keyConsole.express())", () => toExpress(answer)),
    koa: called('koa', "app.use(mount('/settings/api-keys', keyConsole.koa()))", () => toKoa(answer)),
    fastify: called('fastify', 'app.register(keyConsole.fastify(), { prefix })', () => toFastify(answer)),
    fetch: toFetch(answer, mount),
    close() {
      closing ??= end()
      return closing
    },
  }
}

/** A method without arguments, which names the mistake of mounting it uncalled. */
function called<T>(name: string, cure: string, make: () => T): () => T {
  return (...given: unknown[]) => {
    refuseUncalled(`${name}() of a console`, given, cure)
    return make()
  }
}
