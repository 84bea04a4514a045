/** Writes docs/performance.md and its plots from the results that there are. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { drawBars } from './chart.js'
import { OURS } from './contenders.js'
import { judge } from './goals.js'
import { WAYS } from './latency.js'
import { loadResult } from './measure.js'
import { BARE, IDLE } from './mounts.js'

const DOCS = join(import.meta.dirname, '../docs')

export function writeReport() {
  mkdirSync(DOCS, { recursive: true })
  const [decisions, latency, http, growth] = ['decisions', 'latency', 'http', 'growth'].map(loadResult)
  const sections = [INTRODUCTION, METHOD]
  if (decisions) sections.push(...decisionSections(decisions))
  if (latency) sections.push(...latencySections(latency))
  if (http) sections.push(...httpSections(http))
  if (growth) sections.push(...growthSections(growth))
  writeFileSync(join(DOCS, 'performance.md'), `${sections.join('\n\n')}\n`)
  if (decisions) writeFileSync(join(DOCS, 'performance-decisions.svg'), drawDecisions(decisions.results))
  if (http) writeFileSync(join(DOCS, 'performance-http.svg'), drawHttp(http.results))
}

const INTRODUCTION = `# Performance

<!-- Written by the benchmarks from bench/results: change bench/report.js, and run them again. -->

Authentication is paid on every request of every service. This page says what it costs here, what it costs with others, and
what it cannot cost less than. Take the figures on your own machine, about a quarter of an hour for all of them:

\`\`\`sh
npm ci
npm run bench          # one decision, in process
npm run bench:http     # requests a second and latency behind Express, Koa and Fastify
npm run bench:growth   # many credentials, many keys, the time to start
\`\`\`

Each writes its results as JSON to \`bench/results\` and this page anew. \`npm run bench:check\` is a short form for CI, which
fails when a ratio to a limit is worse than twice its goal.`

const METHOD = `## Method

- What is measured is the built package under plain Node, set up as the README does it: keys fetched from an issuer over
  HTTP, caches at their defaults, API keys in a store with a change feed. The peers are set up as their own documentation does
  it, with everything they can check switched on.
- The **limits** are the parts of the work that nobody can leave out: of a credential seen before, its SHA-256
  (\`crypto.hash\`) and one look-up in a \`Map\`; of a new token, the one-shot \`crypto.verify\` of its signature; over HTTP, the
  framework without any authentication. Ratios to a limit, and to peers, are of one run.
- Contenders take turns within each round. Of each one's rounds the median counts, and a ratio is the median of the ratios
  within a round: what slows the machine down slows both.
- Every call gets a string of its own, as the HTTP parser of Node delivers them: flat, not interned, and without a hash
  that V8 has computed already. A benchmark that passes the same string again measures a cache that production does not have.
- *Cached*: 1 000 credentials in rotation, each accepted before. *New*: no token was seen before, by a verifier that has
  been running for a second or 15 000 tokens; one at a time, and with 64 under way, with the second core idle and with it busy.
- Over HTTP the client is another process: 32 connections that are kept alive, 1 000 credentials in rotation, answers checked.
  Ours is mounted with a guard, as on a route of an application; beside it stand two middlewares that do nothing, and two that
  look the credential up by its SHA-256 and check nothing else. Requests/s are taken at full load; latency at a fixed rate of
  arrivals, half of what the bare framework can do, and counted from the instant a request was due.
- What does no check is not listed as faster: prefixed-api-key compares one hash and knows no scopes, expiry or revocation;
  fast-jwt takes one key and fetches none.`

const WHAT_IS_LEFT = `### What is left

Stage by stage, each between two verified signatures, as a request finds the caches of the processor; medians in
microseconds, on a quiet machine on which \`crypto.verify\` took 30 for RS256 and 85 for ES256 (2026-11-26).

| new token | us | |
| --- | ---: | --- |
| header line, SHA-256 | 2.7 | the name in the cache |
| two look-ups, and the entry that is kept | 2.6 | |
| three parts, canonical base64url | 1.7 | a second spelling would be a second name |
| payload: base64url, UTF-8, JSON | 4.3 | |
| other checks before the signature | 1.5 | eight, in a fixed order |
| checks of the claims | 2.2 | fifteen |
| the frozen Auth | 2.2 | |

In a loop of its own, where all of it stays in the caches, the same takes 9. That nothing else of the process stays there has its
price, too: the signature itself takes a fifth longer among all this than alone. Without checks of the encoding and of the claims,
without frozen objects and without keeping what was verified, half of it would be left: a ratio of 1.3 instead of 1.6 to 1.7 for
RS256, in a process that does nothing else.

A burst could be shared with the thread pool: with all that exceeds 2 ms of one turn of the event loop given to it, 64 in flight took
90 instead of 129 microseconds for ES256 and 123 instead of 196 for EdDSA with the second core idle, 152 instead of 138 and 198
instead of 177 with it busy; RS256 gained nothing, and each trip to the pool cost whoever waits for it 0.4 ms. It is left out.

Of a cached token's 1.7 microseconds (key: 1.0) the hash is 0.85 (0.45), the entry with its place among the recently used 0.35,
the clocks 0.15, the change feed and the revocations 0.2. Of a refusal 0.6 are the Error, without its stack, and 0.5 the throw:
\`authenticate()\` throws what it refuses, which no order of the checks makes cheaper than an acceptance.`

export function circumstancesOf({ date, node, machine, version, commit }) {
  return `Version ${version} (${commit}), ${date}, Node ${node.slice(1)}, ${machine}.`
}

function goalTable(name, results) {
  const rows = judge(name, results).map(({ name, goal, measured, reached }) => [
    name,
    goal,
    significant(measured),
    reached ? 'reached' : '**missed**',
  ])
  return table(['ratio, or what is named', 'goal', 'measured', ''], rows)
}

function decisionSections(result) {
  const { results } = result
  const sections = [
    `## One decision\n\n${circumstancesOf(result)} Microseconds a decision.\n\n![Microseconds a decision](performance-decisions.svg)`,
    `### Goals\n\n${goalTable('decisions', results)}`,
  ]
  const algorithms = ['RS256', 'ES256', 'EdDSA']
  for (const title of ['cached token', 'cached key', 'new key', 'refusing']) {
    sections.push(
      `### ${capital(title)}\n\n${table(
        ['', 'us'],
        sorted(results[title]).map(([n, us]) => [mark(n), us.toFixed(2)]),
      )}`,
    )
  }
  for (const [suffix, heading] of [
    ['', 'New token, one at a time'],
    [', 64 in flight', 'New token, 64 in flight'],
    [', 64 in flight, second core busy', 'New token, 64 in flight, second core busy'],
  ]) {
    const of = (alg) => results[`new ${alg} token${suffix}`]
    const rows = sorted(of('RS256')).map(([name]) => [
      mark(name),
      ...algorithms.map((alg) => of(alg)[name]?.typical.toFixed(1) ?? '–'),
    ])
    sections.push(`### ${heading}\n\n${table(['', ...algorithms.map((alg) => `${alg}, us`)], rows)}`)
  }
  return [...sections, WHAT_IS_LEFT]
}

function latencySections(result) {
  const rows = Object.entries(result.results).flatMap(([alg, cores]) =>
    Object.entries(cores).flatMap(([core, rates]) =>
      Object.entries(rates).map(([rate, ways]) => [
        alg,
        core,
        rate,
        ...Object.values(ways).map(({ p50, p99 }) => `${p50.toFixed(0)} / ${p99.toFixed(0)}`),
      ]),
    ),
  )
  const head = ['', 'second core', 'load', ...WAYS.map(({ name }) => `${name}: p50 / p99, us`)]
  return [
    `## On the event loop or on the thread pool\n\n${circumstancesOf(result)}`,
    `Signatures that are to be verified arrive at random instants; what counts is the time from the instant one was due to its answer, whatever came before it. The load is a share of what the event loop alone can verify. \`src/signature.ts\` takes the one-shot \`crypto.verify\` on the event loop, except for ES384 and ES512, which would hold every other request of the process for half a millisecond and more, and leaves those to the thread pool through \`jose\`.\n\n${table(head, rows)}`,
  ]
}

function httpSections(result) {
  const { results } = result
  const rows = Object.entries(results).flatMap(([framework, lines]) =>
    Object.entries(lines).map(([name, { perSecond, share, p50, p99, refusingShare }]) => [
      framework,
      mark(name),
      perSecond.typical.toFixed(0),
      share.toFixed(2),
      p50?.toFixed(0) ?? '–',
      p99?.typical.toFixed(0) ?? '–',
      refusingShare?.toFixed(2) ?? '–',
    ]),
  )
  const head = ['framework', '', 'requests/s', 'share', 'p50, us', 'p99, us', 'refusing / accepting']
  return [
    `## Over HTTP\n\n${circumstancesOf(result)}\n\n![Share of the bare framework](performance-http.svg)\n\n${table(head, rows)}`,
    'No latency where a server could not keep up with the rate.',
    `### Goals\n\n${goalTable('http', results)}`,
    HTTP_LEFT,
  ]
}

const HTTP_LEFT = `What is left (2026-11-26): two middlewares that look a credential up by its SHA-256, and check nothing, already miss the goals on
this machine. Between two requests the caches of the processor are full of other things, and a hash that takes 0.5 to 1 microsecond
in a loop takes 2.5 to 3. Ours is to be read beside those. The adapter had the share of a middleware written by hand around \`authenticate()\`: 0.78 and 0.78 on Koa, 0.86 and 0.84 on
Express.`

function growthSections(result) {
  const { entries, keySet, imports } = result.results
  const sizes = Object.keys(entries.token)
  const rows = sizes.map((size) => [
    Number(size).toLocaleString('en').replaceAll(',', ' '),
    ...['token', 'key'].flatMap((accepts) => {
      const { microseconds, ratio } = entries[accepts][size]
      return [microseconds.toFixed(2), ratio.toFixed(2)]
    }),
    ...['token', 'key'].map((accepts) => (size >= 10_000 ? entries[accepts][size].bytes.toFixed(0) : '–')),
  ])
  const head = ['entries', 'token, us', 'to the limit', 'key, us', 'to the limit', 'bytes a token', 'bytes a key']
  const importRows = Object.entries(imports).map(([name, { typical }]) => [
    name === 'jose' ? 'jose' : `vantage-auth/${name}`,
    typical.toFixed(1),
  ])
  return [
    `## Growth and start\n\n${circumstancesOf(result)}`,
    `A cached decision as the cache fills, beside the look-up in a \`Map\` of the same size; and the heap of an entry, of a token without its claims.\n\n${table(head, rows)}`,
    `A new ES256 token costs ${keySet.one.toFixed(1)} us with three keys in the issuer's set and ${keySet.thousand.toFixed(1)} us with 1 000. The first use of such a set takes ${keySet.firstUseMs.toFixed(1)} ms with its fetch from loopback, ${keySet.coldFirstUseMs.toFixed(1)} ms as the first thing that a process does.`,
    `Import in a fresh process:\n\n${table(['', 'ms'], importRows)}`,
    `### Goals\n\n${goalTable('growth', result.results)}`,
  ]
}

function drawDecisions(results) {
  const groups = ['cached token', 'cached key', 'new RS256 token'].map((title) => ({
    heading: title,
    bars: sorted(results[title]).map(([name, value]) => ({ name, value, kind: kindOf(name) })),
  }))
  return drawBars('Microseconds a decision, logarithmic; shorter is better', groups, {
    logarithmic: true,
    label: (value) => significant(value),
  })
}

function drawHttp(results) {
  const groups = Object.entries(results).map(([framework, lines]) => ({
    heading: framework,
    bars: Object.entries(lines)
      .toSorted(([, a], [, b]) => b.share - a.share)
      .map(([name, { share }]) => ({ name, value: share, kind: kindOf(name) })),
  }))
  return drawBars('Requests/s, as a share of the bare framework; longer is better', groups, {
    logarithmic: false,
    label: (value) => value.toFixed(2),
  })
}

function kindOf(name) {
  if (name === OURS || name.startsWith(`${OURS},`)) return 'ours'
  return name.startsWith('crypto.') || name === BARE || name === IDLE ? 'limit' : 'peer'
}

function mark(name) {
  return { ours: `**${name}**`, limit: `*${name}*`, peer: name }[kindOf(name)]
}

function sorted(figures) {
  return Object.entries(figures)
    .map(([name, { typical }]) => [name, typical])
    .toSorted(([, a], [, b]) => a - b)
}

function significant(value) {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3)
}

function capital(text) {
  return text[0].toUpperCase() + text.slice(1)
}

export function table(head, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n')
}
