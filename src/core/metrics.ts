import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { createRequire } from 'node:module'
import type { MeterProvider } from '@opentelemetry/api'
import type { DecisionEvent, KeySetEvent, RevocationEvent, StoreEvent } from './telemetry.js'

/** See {@link recordMetrics}. */
export interface MetricsOptions {
  /**
   * Where the metrics go. Default: the global provider of `@opentelemetry/api`, as it is at the time of the call: register
   * the SDK first.
   */
  meterProvider?: MeterProvider | undefined
}

/** Bounds the map of issuers. They come from configurations, which have a few each. */
const MAX_ISSUERS = 100

/**
 * Turns the events of all verifiers of this process into OpenTelemetry metrics, from now on: call it before the first
 * request, since a key set is heard of when it is fetched.
 *
 * | metric | kind | attributes |
 * |---|---|---|
 * | `vantage_auth.decisions` | counter | `outcome`, `reason` (of a refusal), `rule` (of `authorize()`), `kind` |
 * | `vantage_auth.decision.duration` | histogram, seconds | `outcome`, `kind`, `cached` |
 * | `vantage_auth.decisions.stale` | counter: accepted in an outage | `kind` |
 * | `vantage_auth.key_set.age` | gauge, seconds since the set in use was fetched | `issuer` |
 * | `vantage_auth.revocation.lag` | histogram, seconds from a change of a key until this process heard of it | none |
 * | `vantage_auth.revocations.received` | counter: what a revocation receiver was sent | `outcome`, `reason`, `kind` |
 *
 * Every attribute is out of a closed list, the configuration or the code of the application: no subject, key id or other text of a credential.
 *
 * @returns a function that stops it
 * @throws {TypeError} without a `meterProvider` where the package `@opentelemetry/api` is not installed
 * @see {@link https://opentelemetry.io/docs/specs/otel/metrics/api/ OpenTelemetry metrics}
 */
export function recordMetrics(options: MetricsOptions = {}): () => void {
  const meter = (options.meterProvider ?? globalMeterProvider()).getMeter('vantage-auth')
  const decisions = meter.createCounter('vantage_auth.decisions', {
    description: 'Decisions on requests',
    unit: '{decision}',
  })
  const stale = meter.createCounter('vantage_auth.decisions.stale', {
    description: 'Requests accepted in an outage, on a key set or a confirmation past its freshness',
    unit: '{decision}',
  })
  const durations = meter.createHistogram('vantage_auth.decision.duration', {
    description: 'Time until a decision',
    unit: 's',
    // The fastest are decisions from the cache; the slowest, look-ups that run into their time limit.
    advice: { explicitBucketBoundaries: [0.000_005, 0.000_02, 0.0001, 0.0005, 0.002, 0.01, 0.05, 0.25, 1, 5] },
  })
  const lags = meter.createHistogram('vantage_auth.revocation.lag', {
    description: 'Time from a change of a key until this process heard of it',
    unit: 's',
    advice: { explicitBucketBoundaries: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2, 5, 30] },
  })
  const received = meter.createCounter('vantage_auth.revocations.received', {
    description: 'Logout tokens, security events and revocation requests of providers',
    unit: '{request}',
  })
  const ages = meter.createObservableGauge('vantage_auth.key_set.age', {
    description: 'Age of the key set in use',
    unit: 's',
  })
  const fetchedAt = new Map<string, number>()

  const onDecision = (message: unknown) => {
    const { outcome, decidedBy, reason, rule, kind, cached, stale: isStale, durationMs } = message as DecisionEvent
    decisions.add(1, { outcome, ...(reason && { reason }), ...(rule && { rule }), ...(kind && { kind }) })
    if (isStale && outcome === 'accepted') stale.add(1, { ...(kind && { kind }) })
    // The request that a guard or a handler refuses was recorded when the verifier decided.
    if (decidedBy === 'verifier') durations.record(durationMs / 1000, { outcome, cached, ...(kind && { kind }) })
  }
  const onKeySet = (message: unknown) => {
    const { issuer, fetchedAt: at } = message as KeySetEvent
    if (at !== undefined && (fetchedAt.has(issuer) || fetchedAt.size < MAX_ISSUERS)) fetchedAt.set(issuer, at)
  }
  const onStore = (message: unknown) => {
    const { event, lagMs } = message as StoreEvent
    if (event === 'change' && lagMs !== undefined) lags.record(lagMs / 1000)
  }
  const onRevocation = (message: unknown) => {
    const { outcome, reason, kind } = message as RevocationEvent
    received.add(1, { outcome, ...(reason && { reason }), ...(kind && { kind }) })
  }
  const observeAges: Parameters<typeof ages.addCallback>[0] = (result) => {
    for (const [issuer, at] of fetchedAt) result.observe(Math.max(0, Date.now() - at) / 1000, { issuer })
  }

  ages.addCallback(observeAges)
  const subscriptions = [
    ['vantage-auth:decision', onDecision],
    ['vantage-auth:key-set', onKeySet],
    ['vantage-auth:store', onStore],
    ['vantage-auth:revocation', onRevocation],
  ] as const
  for (const [name, listener] of subscriptions) subscribe(name, listener)
  return () => {
    for (const [name, listener] of subscriptions) unsubscribe(name, listener)
    ages.removeCallback(observeAges)
  }
}

/** Works with any copy of the module: the provider is registered for the whole process. */
function globalMeterProvider(): MeterProvider {
  let api: typeof import('@opentelemetry/api')
  try {
    api = createRequire(import.meta.url)('@opentelemetry/api')
  } catch (cause) {
    throw new TypeError('recordMetrics() needs the package @opentelemetry/api: npm install @opentelemetry/api', {
      cause,
    })
  }
  return api.metrics.getMeterProvider()
}
