import { type Command, EXIT } from '../command.js'
import { wrap } from '../help.js'
import { print } from '../output.js'
import { readService, SERVICE_OPTIONS, type Service } from '../service.js'
import { outputColumns, paint, printable, printJson, type Style } from '../terminal.js'
import { type Examination, ok, wrong } from './examination.js'
import { examineIssuer } from './issuers.js'
import { examineStore } from './store.js'

export const doctor: Command = {
  summary: 'say what is wrong around a service: issuers, clocks, store, rights, triggers',
  about: [
    "It looks at what a service with these options depends on, as the service would: each issuer's metadata, key set and clock, the key store, its schema, the rights of its role and its triggers. It changes nothing.",
    "With --probe it also measures how long a change of a key takes to whoever watches the store. For that it writes a key back as it is, five times, where the role may: nothing of the key changes, the audit trail has no entry, and the store's log of changes has five more lines, which are dropped after seven days.",
    'An option here wins over the module of --config, and that over the variables.',
  ],
  options: {
    ...SERVICE_OPTIONS,
    probe: { help: 'measure the feed of changes, by writing a key back as it is' },
    json: { help: 'print JSON; an error is JSON too, on standard error' },
  },
  examples: [
    'vantage-auth doctor',
    'vantage-auth doctor --config ./auth.mjs',
    'vantage-auth doctor --store "$ADMINISTRATOR_STORE" --probe --json',
  ],
  exitCodes: '0 when all is well, also with warnings; 1 when something is wrong; 2 for a wrong argument.',
  async run(given) {
    // A fetch of the application may keep nothing else alive, and the process would end without a word.
    const alive = setInterval(() => {}, 1000)
    try {
      const checks = await examine(await readService(given), given.is('probe'))
      const isWell = checks.every(({ result }) => result !== 'wrong')
      if (given.is('json')) printJson({ ok: isWell, checks })
      else print(format(checks))
      return isWell ? EXIT.ok : EXIT.trouble
    } finally {
      clearInterval(alive)
    }
  },
}

async function examine(service: Service, probe: boolean): Promise<Examination[]> {
  const { config, keys } = service
  const parts = await Promise.all([
    ...config.issuers.map((policy) => examineIssuer(policy, config)),
    examineStore(keys, probe, config),
  ])
  return [examineRuntime(), ...describeTrust(service), ...parts.flat()]
}

/** The oldest Node that the package supports. */
const OLDEST = [20, 19] as const

function examineRuntime(): Examination {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  return major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])
    ? ok('node', null, process.versions.node)
    : wrong('node', null, process.versions.node, `use Node ${OLDEST.join('.')} or later`)
}

/** Whom the service trusts, and whether anybody has said so. */
function describeTrust({ config, defaults }: Service): Examination[] {
  const resolved =
    config.resolver === undefined
      ? []
      : [ok('issuer', null, 'those of resolveIssuer as well, which is not called here')]
  if (config.issuers.length === 0 && resolved.length === 0) return [ok('issuer', null, 'none: API keys only')]
  const configured = config.issuers.flatMap(({ issuer, trustDomain, audience, profile }) => [
    ok(
      'issuer',
      issuer,
      `${trustDomain === undefined ? '' : 'a trust domain, '}profile ${profile}${defaults.issuer ? ', by default: VANTAGE_ISSUER or the option issuer changes it' : ''}`,
    ),
    ok(
      'audience',
      issuer,
      `${audience.join(', ')}${defaults.audience ? ', by default: VANTAGE_AUDIENCE or the option audience changes it' : ''}`,
    ),
  ])
  return [...configured, ...resolved]
}

const STYLES: Readonly<Record<Examination['result'], Style>> = {
  ok: 'green',
  warning: 'yellow',
  wrong: 'red',
  'not measured': 'dim',
}

/** What was found is never cut: on a terminal it goes on in the next line. */
function format(checks: readonly Examination[]): string {
  const width = outputColumns() ?? Number.POSITIVE_INFINITY
  const [first, second] = [widest(checks, ({ check }) => check), widest(checks, ({ result }) => result)]
  const indent = ' '.repeat(first + second + 4)
  const lines = checks.map(({ check, about, result, found, cure }) => {
    const start = `${check.padEnd(first)}  ${paint(STYLES[result], result)}${' '.repeat(second - result.length)}  `
    const texts = [
      about === null || found.startsWith(about) ? found : `${about}: ${found}`,
      ...(cure === null ? [] : [`Cure: ${cure}`]),
    ]
    return start + texts.map((text) => wrap(printable(text), width, indent)).join(`\n${indent}`)
  })
  const heading = paint('bold', `${'CHECK'.padEnd(first)}  ${'RESULT'.padEnd(second)}  FOUND`)
  return `${heading}\n${lines.join('\n')}\n\n${wrap(conclusionOf(checks), width)}\n`
}

function widest(checks: readonly Examination[], textOf: (check: Examination) => string): number {
  return Math.max(...checks.map((check) => textOf(check).length), 'RESULT'.length)
}

function conclusionOf(checks: readonly Examination[]): string {
  const count = (result: Examination['result']) => checks.filter((check) => check.result === result).length
  const [faults, warnings] = [count('wrong'), count('warning')]
  const more = warnings === 0 ? '' : `; ${warnings === 1 ? 'one warning' : `${warnings} warnings`}`
  return `${faults === 0 ? 'Nothing is wrong' : faults === 1 ? 'One thing is wrong' : `${faults} things are wrong`}${more}.`
}
