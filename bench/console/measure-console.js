/** The console's API and page, with a page of a hundred keys of many. */
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import express from 'express'
import { chromium } from 'playwright-core'
import { ARGUMENTS, findChromium } from '../../test/browser/support/find-chromium.js'
import { addManyKeys } from '../../test/browser/support/many-keys.js'
import { startPostgres } from '../../test/support/postgres.js'
import { createKeyConsole } from '../shared/built-console.js'
import { createKeyring } from '../shared/built-package.js'

/** @typedef {{ name: string, atMostMs: number, ms: number }} Measured median of the rounds */

const MOUNT = '/settings/api-keys'
/** What the page asks for first. */
const FIRST_PAGE = 'api/keys?sort=-created&usage=30&limit=100'
/** Other questions that people ask by a click. */
const QUERIES = {
  'the newest 100': FIRST_PAGE,
  'sorted by name': 'api/keys?sort=name&usage=30&limit=100',
  'sorted by last use': 'api/keys?sort=-lastUsed&usage=30&limit=100',
  'searched for one': 'api/keys?search=key%2001234&sort=-created&usage=30&limit=100',
  'searched for none': 'api/keys?search=nothing%20like%20it&sort=-created&usage=30&limit=100',
  'unused for 90 days': 'api/keys?unusedFor=90d&sort=-created&usage=30&limit=100',
}
const WARM_UP = 10
const API_ROUNDS = 20
const PAGE_ROUNDS = 9

/** Bits a second, and milliseconds of a round trip. */
const NETWORKS = [
  { name: '10 Mbit/s, 40 ms', bits: 10e6, latency: 40, atMostMs: 1000 },
  { name: '1.6 Mbit/s, 150 ms', bits: 1.6e6, latency: 150, atMostMs: 2000 },
]

/** Notes in the page when the first rows of the table were painted, by the clock of its timings. */
const NOTE_ROWS = `new MutationObserver((_, observer) => {
  if (document.querySelector('tbody tr') === null) return
  observer.disconnect()
  requestAnimationFrame(() => setTimeout(() => { globalThis.rowsAt = performance.now() }))
}).observe(document, { childList: true, subtree: true })`

/**
 * @param {number} count of keys
 * @returns {Promise<Measured[]>}
 */
export async function measureConsole(count) {
  const folder = mkdtempSync(join(tmpdir(), 'vantage-auth-'))
  const server = await startPostgres()
  try {
    const sqlite = `sqlite:${join(folder, 'keys.db')}`
    const postgres = server.url('postgres')
    /** @type {Measured[]} */
    const results = []
    for (const [name, url] of [
      ['SQLite', sqlite],
      ['PostgreSQL', postgres],
    ]) {
      await addManyKeys(url, count)
      results.push(...(await withConsole(url, (address) => measureApi(name, address))))
    }
    results.push(...(await withConsole(sqlite, measurePage)))
    return results
  } finally {
    await server.stop()
    rmSync(folder, { recursive: true })
  }
}

/**
 * @template T
 * @param {string} store
 * @param {(address: string) => Promise<T>} measure
 */
async function withConsole(store, measure) {
  const keyring = createKeyring(store)
  const keyConsole = createKeyConsole({ keyring, authorize: () => ({ actor: 'ada', tenant: 'acme', canWrite: true }) })
  const server = createServer(express().use(MOUNT, keyConsole.express())).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  try {
    return await measure(`http://127.0.0.1:${port}${MOUNT}/`)
  } finally {
    await keyConsole.close()
    await keyring.close()
    server.closeAllConnections()
    server.close()
  }
}

/**
 * @param {string} store
 * @param {string} address
 */
async function measureApi(store, address) {
  const results = []
  for (const [name, query] of Object.entries(QUERIES)) {
    const times = []
    for (let round = 0; round < WARM_UP + API_ROUNDS; round++) {
      const from = performance.now()
      const answer = await fetch(address + query)
      await answer.text()
      if (round >= WARM_UP) times.push(performance.now() - from)
      if (!answer.ok) throw new Error(`${query}: ${answer.status}`)
    }
    results.push({ name: `API on ${store}: ${name}`, atMostMs: 50, ms: median(times) })
  }
  return results
}

/** @param {string} address */
async function measurePage(address) {
  const browser = await chromium.launch({ executablePath: /** @type {string} */ (findChromium()), args: ARGUMENTS })
  const results = []
  try {
    const rows = await repeat(() => loadPage(browser, address))
    results.push({
      name: 'page: from the answer of the API to the first rows',
      atMostMs: 200,
      ms: median(rows.map(({ rowsAt, answeredAt }) => rowsAt - answeredAt)),
    })
    for (const network of NETWORKS) {
      const loads = await repeat(() => loadPage(browser, address, network))
      results.push({
        name: `page: 100 keys in view, cold, ${network.name}`,
        atMostMs: network.atMostMs,
        ms: median(loads.map(({ rowsAt }) => rowsAt)),
      })
    }
    return results
  } finally {
    await browser.close()
  }
}

/**
 * Loads the page with an empty cache.
 *
 * @param {import('playwright-core').Browser} browser
 * @param {string} address
 * @param {{ bits: number, latency: number }} [network] none: as fast as the machine
 * @returns {Promise<{ rowsAt: number, answeredAt: number }>} milliseconds since the navigation began
 */
async function loadPage(browser, address, network) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } })
  try {
    const page = await context.newPage()
    await page.addInitScript(NOTE_ROWS)
    if (network !== undefined) {
      const throughput = network.bits / 8
      const session = await context.newCDPSession(page)
      await session.send('Network.enable')
      await session.send('Network.emulateNetworkConditions', {
        offline: false,
        latency: network.latency,
        downloadThroughput: throughput,
        uploadThroughput: throughput,
      })
    }
    await page.goto(address)
    // waitForFunction() needs eval, which the page's policy forbids.
    while (!(await page.evaluate('globalThis.rowsAt'))) await delay(20)
    return await page.evaluate(`({
      rowsAt,
      answeredAt: performance.getEntriesByType('resource').find(({ name }) => name.includes('/api/keys?')).responseEnd,
    })`)
  } finally {
    await context.close()
  }
}

/**
 * @template T
 * @param {() => Promise<T>} measure
 */
async function repeat(measure) {
  const results = []
  for (let round = 0; round < PAGE_ROUNDS; round++) results.push(await measure())
  return results
}

/** @param {number[]} times */
function median(times) {
  return times.toSorted((a, b) => a - b)[times.length >> 1]
}
