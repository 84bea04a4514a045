import { channel } from 'node:diagnostics_channel'
import { metrics } from '@opentelemetry/api'
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import { afterEach, describe, expect, test } from 'vitest'
import { InsufficientScopeError, MissingCredentialsError } from '../../src/core/errors.js'
import { recordMetrics } from '../../src/core/metrics.js'
import { publishRefusal } from '../../src/core/telemetry.js'
import { createVerifier } from '../../src/verifier/verifier.js'
import { outcomeOf } from '../support/outcome.js'
import { createWorld, postEvent, postForm } from '../support/providers.js'
import { createOwnStore, createTestKey } from '../support/stored-keys.js'
import { createTestIssuer } from '../support/tokens.js'

const stops: (() => unknown)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
  metrics.disable()
})

/** The real SDK, with an exporter that keeps what it gets. */
function createSdk() {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 })
  const meterProvider = new MeterProvider({ readers: [reader] })
  stops.push(() => meterProvider.shutdown())

  /** All points of the last export: `name{attributes}` to a value, or to the count and sum of a histogram. */
  async function points(): Promise<Record<string, unknown>> {
    exporter.reset()
    await reader.forceFlush()
    const all: Record<string, unknown> = {}
    for (const { scopeMetrics } of exporter.getMetrics()) {
      for (const { descriptor, dataPoints } of scopeMetrics.flatMap((scope) => scope.metrics)) {
        for (const { attributes, value } of dataPoints) {
          const text = Object.entries(attributes).map(([name, of]) => `${name}=${of}`)
          all[`${descriptor.name}{${text.sort().join(',')}}`] =
            typeof value === 'number' ? value : { count: value.count, sum: value.sum }
        }
      }
    }
    return all
  }
  return { meterProvider, points }
}

describe('recordMetrics', () => {
  test('counts decisions by outcome, reason and kind, and measures how long they took', async () => {
    const { meterProvider, points } = createSdk()
    stops.push(recordMetrics({ meterProvider }))
    const issuer = createTestIssuer()
    const key = createTestKey()
    const verifier = createVerifier({ ...issuer.options, keys: createOwnStore(key) })
    stops.push(() => verifier.close())
    for (let i = 0; i < 3; i++) await outcomeOf(verifier, key.key)
    await outcomeOf(verifier, issuer.mint())
    await outcomeOf(verifier, issuer.mint({ aud: 'other' }))
    expect(() => verifier.authenticate({ authorization: undefined })).toThrow()
    publishRefusal(
      new InsufficientScopeError('vantage', ['jobs:write']),
      await verifier.authenticate({ authorization: `Bearer ${key.key}` }),
      'guard',
    )
    publishRefusal(new MissingCredentialsError('vantage'), undefined, 'handler')
    const credential = { kind: 'api_key', keyId: key.id } as const
    publishRefusal(new InsufficientScopeError('vantage', [], credential, 'owns-job'), undefined, 'guard')
    await verifier.close()
    await outcomeOf(verifier, key.key)

    const seen = await points()
    expect(seen).toMatchObject({
      'vantage_auth.decisions{kind=api_key,outcome=accepted}': 4,
      'vantage_auth.decisions{kind=access_token,outcome=accepted}': 1,
      'vantage_auth.decisions{kind=access_token,outcome=token_invalid,reason=audience}': 1,
      'vantage_auth.decisions{outcome=credentials_missing,reason=missing}': 2,
      'vantage_auth.decisions{kind=api_key,outcome=scope_insufficient,reason=scope}': 1,
      'vantage_auth.decisions{kind=api_key,outcome=unavailable,reason=unavailable}': 1,
      'vantage_auth.decisions{kind=api_key,outcome=scope_insufficient,reason=rule,rule=owns-job}': 1,
      'vantage_auth.decision.duration{cached=true,kind=api_key,outcome=accepted}': { count: 3 },
      'vantage_auth.decision.duration{cached=false,kind=api_key,outcome=accepted}': { count: 1 },
      'vantage_auth.decision.duration{cached=false,outcome=credentials_missing}': { count: 1 },
    })
    expect(Object.keys(seen).filter((name) => name.includes('duration') && name.includes('scope'))).toEqual([])
    const { sum } = seen['vantage_auth.decision.duration{cached=false,kind=api_key,outcome=accepted}'] as {
      sum: number
    }
    // Seconds, not milliseconds: an answer from memory takes no second.
    expect(sum).toBeGreaterThan(0)
    expect(sum).toBeLessThan(1)
  })

  test('tells the age of each key set, and of no more of them than a configuration has', async () => {
    const { meterProvider, points } = createSdk()
    stops.push(recordMetrics({ meterProvider }))
    const issuer = createTestIssuer({ issuer: 'https://issuer.example' })
    const verifier = createVerifier({
      issuer: [{ issuer: issuer.issuer, jwksUri: 'https://issuer.example/jwks' }],
      keys: false,
      clock: () => Date.now() - 60_000,
      fetch: async () => Response.json(issuer.jwks),
    })
    stops.push(() => verifier.close())
    await verifier.ready()
    const age = (await points())['vantage_auth.key_set.age{issuer=https://issuer.example}'] as number
    expect(age).toBeGreaterThanOrEqual(60)
    expect(age).toBeLessThan(120)

    const keySets = channel('vantage-auth:key-set')
    for (let i = 0; i < 300; i++) keySets.publish({ issuer: `https://${i}.example`, fetchedAt: Date.now() })
    keySets.publish({ issuer: 'https://never.example', fetchedAt: undefined })
    const ages = Object.keys(await points()).filter((name) => name.startsWith('vantage_auth.key_set.age'))
    expect(ages).toHaveLength(100)
    expect(ages).toContain('vantage_auth.key_set.age{issuer=https://issuer.example}')
  })

  test('counts what was accepted in an outage', async () => {
    const { meterProvider, points } = createSdk()
    stops.push(recordMetrics({ meterProvider }))
    const key = createTestKey()
    const store = createOwnStore(key)
    const verifier = createVerifier({ issuer: false, keys: store, storeMaxStaleSeconds: 60 })
    stops.push(() => verifier.close())
    await outcomeOf(verifier, key.key)
    store.feed.state = 'down'
    store.onFind = () => Promise.reject(new Error('out of reach'))
    expect(await outcomeOf(verifier, key.key)).toBe('accepted')
    expect(await points()).toMatchObject({ 'vantage_auth.decisions.stale{kind=api_key}': 1 })
  })

  test('measures how long a change travelled, where the store knows', async () => {
    const { meterProvider, points } = createSdk()
    stops.push(recordMetrics({ meterProvider }))
    const key = createTestKey()
    const store = createOwnStore(key)
    const verifier = createVerifier({ issuer: false, keys: store })
    stops.push(() => verifier.close())
    await outcomeOf(verifier, key.key)
    store.announce({ id: key.id })
    expect(await points()).not.toHaveProperty('vantage_auth.revocation.lag{}')
    store.announce({ id: key.id, at: Date.now() - 20_000 })
    const { count, sum } = (await points())['vantage_auth.revocation.lag{}'] as { count: number; sum: number }
    expect(count).toBe(1)
    expect(sum).toBeGreaterThanOrEqual(20)
    expect(sum).toBeLessThan(30)
  })

  test('has no attribute with text of a credential', async () => {
    const { meterProvider, points } = createSdk()
    stops.push(recordMetrics({ meterProvider }))
    const issuer = createTestIssuer()
    const key = createTestKey({ subject: 'somebody' })
    const verifier = createVerifier({ ...issuer.options, keys: createOwnStore(key) })
    stops.push(() => verifier.close())
    for (let i = 0; i < 50; i++) {
      await outcomeOf(verifier, createTestKey().key)
      await outcomeOf(verifier, issuer.mint({ iss: `https://${i}.example`, sub: `user-${i}` }))
    }
    await outcomeOf(verifier, key.key)
    const names = Object.keys(await points())
    expect(names.length).toBeLessThan(20)
    expect(names.join()).not.toMatch(/example|user-|somebody|vak_/)
  })

  test('counts what a revocation receiver is sent, by outcome, reason and kind', async () => {
    const { meterProvider, points } = createSdk()
    stops.push(recordMetrics({ meterProvider }))
    const world = createWorld()
    stops.push(() => world.close())
    const { provider, receiver } = world
    const request = postForm(provider.logoutToken())
    await receiver.handle(request)
    await receiver.handle(request)
    await receiver.handle(postEvent(provider.logoutToken()))
    await receiver.handle({ ...request, method: 'GET' })
    expect(await points()).toEqual({
      'vantage_auth.revocations.received{kind=logout_token,outcome=revoked}': 1,
      'vantage_auth.revocations.received{kind=logout_token,outcome=repeated}': 1,
      'vantage_auth.revocations.received{kind=security_event,outcome=refused,reason=type}': 1,
      'vantage_auth.revocations.received{outcome=refused,reason=method}': 1,
    })
  })

  test('stops when it is told to', async () => {
    const { meterProvider, points } = createSdk()
    const stop = recordMetrics({ meterProvider })
    channel('vantage-auth:key-set').publish({ issuer: 'https://issuer.example', fetchedAt: Date.now() })
    stop()
    for (const name of ['decision', 'key-set', 'store', 'revocation']) {
      expect(channel(`vantage-auth:${name}`).hasSubscribers).toBe(false)
    }
    expect(await points()).toEqual({})
    stop()
  })

  test('uses the global provider by default', async () => {
    const { meterProvider, points } = createSdk()
    metrics.setGlobalMeterProvider(meterProvider)
    stops.push(recordMetrics())
    const verifier = createVerifier({ issuer: false, keys: false })
    expect(() => verifier.authenticate({ authorization: undefined })).toThrow()
    expect(await points()).toMatchObject({ 'vantage_auth.decisions{outcome=credentials_missing,reason=missing}': 1 })
  })
})
