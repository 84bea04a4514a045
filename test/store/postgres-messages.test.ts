import { inspect } from 'node:util'
import { Pool } from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import type { KeyStore } from '../../src/store/contract.js'
import { openKeyStoreForChanges } from '../../src/store/open.js'
import { postgresKeyStore } from '../../src/store/postgres/store.js'
import { type PostgresServer, postgresIsThere, startPostgres } from '../support/postgres.js'
import { storedKey } from '../support/stored-keys.js'

const SECRET = 'S3cret/Passw0rd'

const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  vi.unstubAllEnvs()
  for (const close of closers.splice(0).reverse()) await close()
})

function open(connectionString: string): KeyStore {
  const store = postgresKeyStore({ connectionString })
  closers.push(() => store.close())
  return store
}

function openPool(options: object): KeyStore {
  const pool = new Pool({ ...options, connectionTimeoutMillis: 2000 })
  pool.on('error', () => {})
  const store = postgresKeyStore({ pool })
  closers.push(() => store.close().then(() => pool.end()))
  return store
}

async function messageOf(work: Promise<unknown> | undefined): Promise<string> {
  const error = await work?.then(
    () => undefined,
    (error: Error) => error,
  )
  expect(error).toMatchObject({ code: 'ERR_VANTAGE_KEY_STORE' })
  expect(inspect(error, { depth: null, showHidden: true })).not.toContain(SECRET)
  return (error as Error).message
}

describe('a Postgres key store tells role, host, port and database, and no password', () => {
  const ENCODED = encodeURIComponent(SECRET)

  test.each([
    ['of the URL', `postgres://svc:${ENCODED}@127.0.0.1:1/keys`],
    ['in a parameter', `postgres://svc@127.0.0.1:1/keys?password=${ENCODED}`],
    ['whose colon is encoded', `postgres://svc%3A${ENCODED}@127.0.0.1:1/keys`],
  ])('%s', async (_, url) => {
    const store = open(url)
    expect(store.describe?.()).toBe('postgres://svc@127.0.0.1:1/keys')
    expect(await messageOf(store.find('a'))).toMatch(
      /^The Postgres key store at 127\.0\.0\.1:1 \(database "keys", role "svc"\) is out of reach: .*ECONNREFUSED/,
    )
  })

  test('of the environment', async () => {
    vi.stubEnv('PGPASSWORD', SECRET)
    vi.stubEnv('PGUSER', 'svc')
    vi.stubEnv('PGDATABASE', 'keys')
    const store = open('postgres://127.0.0.1:1')
    expect(store.describe?.()).toBe('postgres://svc@127.0.0.1:1/keys')
    await messageOf(store.find('a'))
  })

  test.each([
    ['options', { host: '127.0.0.1', port: 1, user: 'svc', database: 'keys', password: SECRET }],
    ['connection string', { connectionString: `postgres://svc:${ENCODED}@127.0.0.1:1/keys` }],
    ['function', { host: '127.0.0.1', port: 1, user: 'svc', database: 'keys', password: () => SECRET }],
  ])("of an own pool's %s", async (_, options) => {
    const store = openPool(options)
    expect(store.describe?.()).toBe('postgres://svc@127.0.0.1:1/keys')
    expect(await messageOf(store.find('a'))).toContain('at 127.0.0.1:1 (database "keys", role "svc")')
  })

  test('that an error of the pool quotes', async () => {
    const store = openPool({ host: '127.0.0.1', port: 1, user: 'svc', database: 'keys', password: SECRET })
    const failing = new Pool({ host: 'h', user: 'svc', database: 'keys', password: SECRET })
    failing.connect = ((done: (error: Error) => void) =>
      done(new Error(`cannot parse postgres://svc:${ENCODED}@h/keys, password ${SECRET}`))) as never
    closers.push(() => failing.end())
    expect(await messageOf(postgresKeyStore({ pool: failing }).find('a'))).toMatch(/is out of reach: cannot parse/)
    expect(await messageOf(store.find('a'))).toContain('is out of reach')
  })

  test.each([
    `postgres://svc:12/34@127.0.0.1:1/keys`,
    `postgres://svc:12#34@127.0.0.1:1/keys`,
    `postgres://svc:12?34@127.0.0.1:1/keys`,
    `postgres://svc:p@12/34@127.0.0.1:1/keys`,
  ])('whose letters are not encoded is refused at start: %s', (connectionString) => {
    const attempt = () => postgresKeyStore({ connectionString })
    expect(attempt).toThrow(TypeError)
    expect(attempt).toThrow(/percent-encode/)
    expect(attempt).not.toThrow(/12|34/)
    expect(openPool({ connectionString }).describe?.()).toBe('postgres:///')
  })

  describe('that stands in the wrong place', () => {
    test.each<[string, string, string]>([
      ['in the role, which is the database as well', `postgres://svc%3A${ENCODED}@127.0.0.1:1`, 'svc@127.0.0.1:1/svc'],
      ['behind the database', `postgres://svc@127.0.0.1:1/keys;password=${ENCODED}`, 'svc@127.0.0.1:1/'],
      ['behind a space', `postgres://svc@127.0.0.1:1/keys password=${ENCODED}`, 'svc@127.0.0.1:1/'],
      ['in the host', `postgres://svc@/keys?host=u:${ENCODED}@h`, 'svc@/keys'],
    ])('%s of a URL', async (_, url, place) => {
      const store = open(url)
      expect(store.describe?.()).toBe(`postgres://${place}`)
      expect(await messageOf(store.find('a'))).toMatch(/is out of reach: \w+ \(its message is not shown: /)
    })

    const URL_OF_SVC = `postgres://svc:${SECRET}@db.example/keys`
    test.each<[string, object, string]>([
      ['role', { host: '127.0.0.1', port: 1, user: `svc:${SECRET}`, database: 'keys' }, 'svc@127.0.0.1:1/keys'],
      ['role and database', { host: '127.0.0.1', port: 1, user: `svc:${SECRET}` }, 'svc@127.0.0.1:1/svc'],
      [
        'database',
        { host: '127.0.0.1', port: 1, user: 'svc', database: `keys?password=${SECRET}` },
        'svc@127.0.0.1:1/',
      ],
      ['database, a URL', { host: '127.0.0.1', port: 1, user: 'svc', database: URL_OF_SVC }, 'svc@127.0.0.1:1/'],
      ['host, a URL', { host: URL_OF_SVC, user: 'svc', database: 'keys' }, 'svc@/keys'],
      ['host', { host: `svc:${SECRET}@h`, user: 'svc', database: 'keys' }, 'svc@/keys'],
    ])('in the %s of a pool', async (_, options, place) => {
      const store = openPool(options)
      expect(store.describe?.()).toBe(`postgres://${place}`)
      await messageOf(store.find('a'))
    })

    test('in PGHOST', async () => {
      vi.stubEnv('PGHOST', URL_OF_SVC)
      const store = openPool({ user: 'svc', database: 'keys' })
      expect(store.describe?.()).toBe('postgres://svc@/keys')
      await messageOf(store.find('a'))
    })

    test('before an @ that a parameter hides', () => {
      const connectionString = 'postgres://svc:@hunter2?a=@h/keys'
      expect(() => postgresKeyStore({ connectionString })).toThrow(/percent-encode/)
      expect(openPool({ connectionString }).describe?.()).toBe('postgres:///')
    })
  })

  test.each([
    ['postgres://[::1]:1/keys?user=svc', 'postgres://svc@[::1]:1/keys'],
    [
      "postgres://db-1.example/it's%20Bücher?user=a.b%2Bc@x-1.iam",
      'postgres://a.b%2Bc%40x-1.iam@db-1.example:5432/it%27s%20B%C3%BCcher',
    ],
  ])('leaves out nothing that is a name: %s', (url, place) => {
    expect(open(url).describe?.()).toBe(place)
  })

  test('that the server quotes is in no cause either', async () => {
    const pool = new Pool({ host: '127.0.0.1', port: 1, user: 'svc', database: 'keys' })
    closers.push(() => pool.end())
    pool.connect = ((done: (error: Error) => void) =>
      done(Object.assign(new Error(`no line for password=${SECRET}`), { code: '28000' }))) as never
    expect(await messageOf(postgresKeyStore({ pool }).find('a'))).toContain('no line for password=…')
  })

  test('of an e-mail address as the role is no mistake', () => {
    expect(open('postgres://127.0.0.1:1/keys?user=svc@tenant').describe?.()).toBe(
      'postgres://svc%40tenant@127.0.0.1:1/keys',
    )
  })

  test('leaves out the folder of a Unix socket, and names a schema', () => {
    expect(open('postgres:///keys?host=/nowhere&user=svc&schema=au%20th').describe?.()).toBe(
      'postgres://svc@/keys?schema=au%20th',
    )
  })
})

describe.runIf(postgresIsThere())('a server that refuses', () => {
  let server: PostgresServer
  let admin: string
  const as = (role: string, database = 'postgres') =>
    `postgres://${role}:${encodeURIComponent(SECRET)}@127.0.0.1:${server.port}/${database}`

  beforeAll(async () => {
    server = await startPostgres()
    admin = await server.emptyDatabase()
    const owner = postgresKeyStore({ connectionString: admin })
    await owner.migrate?.()
    await owner.close()
    for (const role of ['bare', 'svc', 'admin_of_keys']) {
      await server.sql(admin, `CREATE ROLE ${role} LOGIN PASSWORD '${SECRET}'`)
    }
    await server.sql(admin, 'GRANT SELECT ON vantage_schema, vantage_keys TO svc, admin_of_keys')
  }, 60_000)
  afterAll(() => server?.stop())

  test('a login names role, database, host and port, and what the server says', async () => {
    const at = `at 127.0.0.1:${server.port}`
    expect(await messageOf(open(as('nobody')).find('a'))).toContain(
      `refuses the login: role "nobody" cannot log in to database "postgres" ${at}: password authentication failed for user "nobody"`,
    )
    expect(await messageOf(open(as('svc', 'absent')).find('a'))).toContain(
      `refuses the login: role "svc" cannot log in to database "absent" ${at}: database "absent" does not exist`,
    )
  })

  test('a login whose role holds the password quotes neither', async () => {
    const role = `svc%3A${encodeURIComponent(SECRET)}`
    const url = `postgres://${role}:wrong@127.0.0.1:${server.port}/postgres`
    expect(await messageOf(open(url).find('a'))).toMatch(/role "svc" cannot log in to .*: 28P01 \(its message is not/)
  })

  test('a login without a password says where it belongs', async () => {
    const url = `postgres://svc@127.0.0.1:${server.port}/postgres`
    expect(await messageOf(open(url).find('a'))).toMatch(/asks for a password for role "svc", .*PGPASSWORD/)
  })

  test.each([
    ['SELECT', 'table public.vantage_token_revocations', 'service', (store: KeyStore) => store.tokenRevocations?.(0)],
    [
      'EXECUTE',
      'function public.vantage_add_usage',
      'service',
      (store: KeyStore) => store.addUsage([{ id: 'a', day: '2026-11-25', count: 1, lastUsedAt: 1 }]),
    ],
    ['SELECT', 'table public.vantage_audit', 'reader', (store: KeyStore) => store.readAudit?.({ limit: 1 })],
    ['INSERT', 'table public.vantage_keys', 'administrator', (store: KeyStore) => store.insert(storedKey('b'))],
  ])('a statement names the missing %s on the %s, the role, and the cure', async (privilege, object, kind, work) => {
    const message = await messageOf(work(open(as('svc'))))
    expect(message).toContain(`to the role "svc": it lacks ${privilege} on the ${object};`)
    expect(message).toMatch(new RegExp(`npx vantage-auth keys grants ${kind} --role svc$`))
  })

  test('a store that is opened for changes names the grants of an administrator, also where it reads', async () => {
    const { port } = server
    for (const [role, object] of [
      ['svc', 'SELECT on the table public.vantage_usage'],
      ['bare', 'SELECT on the table public.vantage_schema'],
    ] as const) {
      const store = openKeyStoreForChanges(as(role))
      closers.push(() => store.close())
      const message = await messageOf(store.list({ now: 0, limit: 1 }))
      expect(message).toContain(`127.0.0.1:${port}`)
      expect(message).toMatch(new RegExp(`it lacks ${object}; .* keys grants administrator --role ${role}$`))
    }
    expect(await messageOf(open(as('svc')).list({ now: 0, limit: 1 }))).toMatch(/ keys grants reader --role svc$/)
  })

  test('a table that a change reads as well names both privileges', async () => {
    const owner = open(admin)
    await owner.insert(storedKey('c'))
    const key = await owner.find('c')
    if (key === undefined) throw new Error('the key is not there')
    const message = await messageOf(open(as('admin_of_keys')).update(key, { ...key, revokedAt: 1 }))
    expect(message).toContain('role "admin_of_keys": it lacks SELECT and UPDATE on the table public.vantage_keys;')
  })

  test('a role without any grant names the first table', async () => {
    expect(await messageOf(open(as('bare')).find('a'))).toContain('it lacks SELECT on the table public.vantage_schema;')
  })

  test('a schema names the schema, and the role of a migration its owner', async () => {
    await server.sql(admin, 'CREATE SCHEMA keys')
    const inSchema = `${admin}?schema=keys`
    await open(inSchema).migrate?.()
    const message = await messageOf(open(`${as('svc')}?schema=keys`).find('a'))
    expect(message).toMatch(/it lacks USAGE on the schema keys; .* keys grants service --role svc --schema keys$/)
    expect(await messageOf(open(`${as('svc')}?schema=absent`).migrate?.())).toMatch(
      /does not permit role "svc" to create or change .* as the owner of the schema absent$/,
    )
  })

  test('a database without the schema names the whole command, without role and password', async () => {
    expect(await messageOf(open(`${admin}?schema=none`).find('a'))).toMatch(
      new RegExp(
        `run: npx vantage-auth keys migrate --store 'postgres://127\\.0\\.0\\.1:${server.port}/postgres\\?schema=none'$`,
      ),
    )
  })
})
