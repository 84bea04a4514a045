import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Client, Pool } from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createKeyring } from '../../src/keyring/keyring.js'
import type { ChangeFeed, KeyStore, UsageIncrement } from '../../src/store/contract.js'
import { openKeyStore } from '../../src/store/open.js'
import { formatGrants } from '../../src/store/postgres/grants.js'
import { type PostgresKeyStoreOptions, postgresKeyStore } from '../../src/store/postgres/store.js'
import { createVerifier } from '../../src/verifier/verifier.js'
import { decide } from '../support/outcome.js'
import { installedPostgres, type PostgresServer, postgresIsThere, startPostgres } from '../support/postgres.js'
import { createTestKey, storedKey } from '../support/stored-keys.js'
import { until } from '../support/until.js'
import { setTraps } from './postgres-traps.js'

// What other roles of the database can do to a key store, on each major version of PostgreSQL that is installed here.

const DAY = '2026-11-25'
const AT = Date.UTC(2026, 10, 25)
const NO_SESSION = { sessionId: null, withoutSession: false }
const ROLES = ['mallory', 'service', 'dba', 'team']

const versions = postgresIsThere() ? installedPostgres() : []
if (versions.length > 0) console.info(`PostgreSQL ${versions.map(({ major }) => major).join(', ')} found here`)

describe.each(versions)('on PostgreSQL $major', ({ major, binaries }) => {
  let server: PostgresServer
  let url: string
  let closers: (() => unknown)[]

  beforeAll(async () => {
    server = await startPostgres(binaries)
    for (const role of ROLES) await server.sql(server.url('postgres'), `CREATE ROLE ${role} LOGIN PASSWORD 'p'`)
  })

  afterAll(() => server?.stop())

  beforeEach(async () => {
    closers = []
    url = await server.emptyDatabase()
  })

  afterEach(async () => {
    for (const close of closers.reverse()) await close()
  })

  const sql = (statement: string) => server.sql(url, statement)
  const as = (role: string) => url.replace(/\/\/[^@]*@/, `//${role}:p@`)

  function open(options: PostgresKeyStoreOptions = { connectionString: url }): KeyStore {
    const store = postgresKeyStore(options)
    closers.push(() => store.close())
    return store
  }

  /** A store of its own connections, by a role. */
  const openAs = (role: string) => open({ connectionString: as(role) })

  /** A connection of a role, to keep something open over it. */
  async function shell(role: string): Promise<Client> {
    const client = new Client({ connectionString: as(role) })
    client.on('error', () => {})
    await client.connect()
    closers.push(() => client.end())
    return client
  }

  function poolOf(options: object): Pool {
    const pool = new Pool({ connectionString: url, ...options })
    pool.on('error', () => {})
    closers.push(() => pool.end())
    return pool
  }

  async function watch(store: KeyStore): Promise<{ feed: ChangeFeed; heard: string[] }> {
    const heard: string[] = []
    const feed = store.watch?.((change) => heard.push('id' in change ? change.id : '*')) as ChangeFeed
    closers.push(() => feed.close())
    await until(() => feed.state === 'live')
    return { feed, heard }
  }

  async function grantService(): Promise<void> {
    await sql(`GRANT USAGE ON SCHEMA public TO service;
      GRANT SELECT ON public.vantage_schema, public.vantage_keys, public.vantage_token_revocations, public.vantage_changes TO service;
      GRANT EXECUTE ON FUNCTION public.vantage_add_usage TO service`)
  }

  /** Everything that a store does. */
  async function exercise(store: KeyStore): Promise<void> {
    await store.migrate?.(() => {})
    const { heard } = await watch(store)
    const [a, b] = [storedKey('a'), storedKey('b', { createdAt: AT - 1 })]
    for (const key of [a, b]) await store.insert(key)
    await until(() => heard.includes('a') && heard.includes('b'))
    expect(await store.find('a')).toEqual(a)
    expect(await store.find('c')).toBeUndefined()
    await store.addUsage([{ id: 'a', day: DAY, count: 3, lastUsedAt: AT }])
    expect(await store.readUsage('a', DAY)).toEqual({ total: 3, days: [{ day: DAY, count: 3 }] })
    for (const query of [
      { subject: a.subject },
      { state: 'active' },
      { createdBefore: AT },
      { unusedSince: AT },
    ] as const) {
      expect((await store.list({ now: AT, limit: 9, ...query })).length, JSON.stringify(query)).toBeGreaterThan(0)
    }
    expect(await store.update(a, { ...a, revokedAt: AT })).toBe(true)
    expect((await store.find('a'))?.revokedAt).toBe(AT)
    const revocation = {
      id: 'r',
      issuer: 'i',
      tokenId: null,
      subject: 's',
      clientId: null,
      issuedBefore: AT,
      ...NO_SESSION,
    }
    const details = { createdAt: AT, createdBy: null, reason: null, endsAt: AT + 1 }
    await store.addTokenRevocation?.({ ...revocation, ...details })
    expect(await store.tokenRevocations?.(AT)).toEqual([{ ...revocation, ...details }])
    expect((await store.readAudit?.({ limit: 9 }))?.map(({ action, detail }) => [action, detail])).toEqual([
      ['revoke_tokens', '{"issuer":"i","subject":"s","issuedBefore":"2026-11-25T00:00:00.000Z"}'],
      ['revoke', null],
      ['create', null],
      ['create', null],
    ])
  }

  describe('a role that may create objects', () => {
    test.each(['traps, pg_catalog', 'public, traps', 'pg_catalog, public, traps'])(
      'has none of its functions, operators and types called over sessions with the search path %s',
      async (path) => {
        await sql(setTraps())
        await sql(`ALTER ROLE admin SET search_path = ${path}`)
        closers.push(() => sql('ALTER ROLE admin RESET search_path'))
        // The traps do catch: whoever leaves his names to this path runs into them.
        await sql('SET search_path = traps, pg_catalog; SELECT now()')
        expect(await sql('SELECT * FROM traps.caught')).toEqual([{ role: 'admin', name: 'now' }])
        await sql('DELETE FROM traps.caught')
        await exercise(open({ pool: poolOf({ max: 2 }) }))
        expect(await sql('SELECT DISTINCT role, name FROM traps.caught')).toEqual([])
      },
    )

    test('has none of its functions called by the triggers that hand-written SQL fires over such a session', async () => {
      await exercise(open())
      await sql(setTraps())
      await sql(`SET search_path = traps, pg_catalog;
        UPDATE public.vantage_keys SET expires_at = '2030-01-01', replaced_by = 'x';
        UPDATE public.vantage_token_revocations SET reason = 'x'; DELETE FROM public.vantage_token_revocations;
        INSERT INTO public.vantage_token_revocations (id, issuer, token_id, created_at, ends_at)
          VALUES ('r', 'i', 'jti', '2026-01-01', '2126-01-01');
        TRUNCATE public.vantage_token_revocations; DELETE FROM public.vantage_keys; TRUNCATE public.vantage_keys`)
      expect(await sql('SELECT DISTINCT role, name FROM traps.caught')).toEqual([])
    })

    test('has none of its overloads in the schema of the tables called', async () => {
      await sql(`GRANT CREATE, USAGE ON SCHEMA public TO PUBLIC; CREATE TABLE public.caught (role text, name text);
        GRANT ALL ON public.caught TO PUBLIC`)
      await server.sql(
        as('mallory'),
        setTraps()
          .replace('CREATE SCHEMA traps;', '')
          .replace('CREATE TABLE traps.caught (role text, name text);', '')
          .replace(/GRANT ALL.*;/g, '')
          .replaceAll('traps.', 'public.'),
      )
      await exercise(open())
      expect(await sql('SELECT DISTINCT role, name FROM public.caught')).toEqual([])
    })

    test.each([
      ['table', 'CREATE TABLE vantage_keys (id text)', 'table vantage_keys'],
      ['view', 'CREATE VIEW vantage_usage AS SELECT 1 AS one', 'view vantage_usage'],
      ['sequence', 'CREATE SEQUENCE vantage_changes_seq_seq', 'sequence vantage_changes_seq_seq'],
      [
        'function',
        `CREATE FUNCTION vantage_add_usage(int) RETURNS int LANGUAGE sql AS 'SELECT 1'`,
        'function vantage_add_usage',
      ],
    ])('stops a migration with its %s, which is named, before anything is written', async (_, statement, named) => {
      await sql('GRANT CREATE, USAGE ON SCHEMA public TO mallory, dba')
      await server.sql(as('mallory'), statement)
      for (const role of ['admin', 'dba']) {
        const store = role === 'admin' ? open() : openAs(role)
        await expect(store.migrate?.(), role).rejects.toThrow(`${named} of "mallory"`)
      }
      expect(
        await sql(`SELECT FROM pg_class WHERE relname LIKE 'vantage%' AND relowner <> 'mallory'::regrole`),
      ).toEqual([])
    })

    test('stops a migration, and a keyring, with a whole schema', async () => {
      await sql('GRANT CREATE, USAGE ON SCHEMA public TO mallory')
      await openAs('mallory').migrate?.()
      const warning = /belong to another role: table .*vantage_keys of "mallory"/
      await expect(open().migrate?.()).rejects.toThrow(warning)
      await expect(createKeyring(open()).list()).rejects.toThrow(warning)
    })

    test('that has migrated is refused to readers until it owns the database, or they are its members', async () => {
      await sql('GRANT CREATE, USAGE ON SCHEMA public TO team')
      await openAs('team').migrate?.()
      await sql(formatGrants('reader', { role: 'dba', schema: 'public' }).join(' '))
      const list = () => createKeyring(openAs('dba'), { migrate: false }).list()
      await expect(list()).rejects.toThrow(
        /table vantage_keys of "team".* If that role is the one that migrates this key store, make it the owner of the database .*if nobody knows them, drop them$/,
      )
      closers.push(() => sql('REVOKE team FROM dba'))
      await sql('GRANT team TO dba')
      await expect(list()).resolves.toMatchObject({ keys: [] })
      await sql('REVOKE team FROM dba')
      await expect(list()).rejects.toThrow('table vantage_keys of "team"')
      closers.push(() => sql('ALTER DATABASE postgres OWNER TO admin'))
      await sql('ALTER DATABASE postgres OWNER TO team')
      await expect(list()).resolves.toMatchObject({ keys: [] })
    })

    test('stops a migration also when it put the migrating role into the group of the owner', async () => {
      await sql('GRANT CREATE, USAGE ON SCHEMA public TO team, dba; GRANT team TO mallory WITH ADMIN OPTION')
      closers.push(() => sql('REVOKE team FROM dba CASCADE; REVOKE team FROM mallory CASCADE'))
      await openAs('team').migrate?.()
      await server.sql(as('mallory'), 'GRANT team TO dba')
      await expect(openAs('dba').migrate?.()).rejects.toThrow('table vantage_keys of "team"')
    })

    /** Who migrates makes mallory a superuser, if he can call his function. */
    const GIFT = `CREATE FUNCTION public.gift() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) THEN
        ALTER ROLE mallory SUPERUSER;
        UPDATE pg_catalog.pg_class SET relowner = current_user::pg_catalog.regrole WHERE relname LIKE 'vantage%';
      END IF;
      RETURN NULL;
    END $$`
    const giftOn = (table: string) => `${GIFT};
      CREATE TRIGGER gift BEFORE INSERT OR UPDATE OR DELETE ON public.${table}
        FOR EACH STATEMENT EXECUTE FUNCTION public.gift()`

    test.each([
      [
        'an empty database',
        undefined,
        'vantage_schema',
        `CREATE TABLE public.vantage_usage (id text COLLATE pg_catalog."C" NOT NULL, day date NOT NULL,
          count bigint NOT NULL, last_used_at timestamptz(3) NOT NULL, PRIMARY KEY (id, day)); ${giftOn('vantage_usage')}`,
        'table vantage_usage of "mallory"',
      ],
      [
        'version 2',
        2,
        'vantage_lock',
        `CREATE TABLE public.vantage_token_counts (one boolean PRIMARY KEY DEFAULT true, tokens bigint NOT NULL,
          subjects_and_clients bigint NOT NULL); ${giftOn('vantage_token_counts')}`,
        'table vantage_token_counts of "mallory"',
      ],
    ] as const)(
      'has no trigger called by a migration of %s that waits for him',
      async (_, version, held, plant, named) => {
        if (version)
          await sql(readFileSync(new URL(`../vectors/schema/postgres-${version}.sql`, import.meta.url), 'utf8'))
        await sql('GRANT CREATE, USAGE ON SCHEMA public TO mallory')
        closers.push(() => sql('ALTER ROLE mallory NOSUPERUSER'))
        const blocker = await shell('mallory')
        // Not committed, so that no check sees it, and the migration waits when it creates the same.
        await blocker.query(`BEGIN; CREATE TABLE public.${held} (x int)`)
        const migration = open().migrate?.()
        const settled = Promise.allSettled([migration])
        await until(async () => {
          const waiting = await sql(`SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND usename = 'admin'
          AND query LIKE 'CREATE TABLE%'`)
          return waiting.length > 0
        })
        await server.sql(as('mallory'), plant)
        await blocker.query('ROLLBACK')
        await settled
        expect(await sql(`SELECT rolsuper FROM pg_roles WHERE rolname = 'mallory'`)).toEqual([{ rolsuper: false }])
        await expect(migration).rejects.toThrow(named)
      },
    )

    test('has no trigger of his called that he put on a table of ours, and no rule', async () => {
      await sql(readFileSync(new URL('../vectors/schema/postgres-4.sql', import.meta.url), 'utf8'))
      await sql('GRANT CREATE, USAGE ON SCHEMA public TO mallory; GRANT TRIGGER ON vantage_changes TO mallory')
      closers.push(() => sql('ALTER ROLE mallory NOSUPERUSER'))
      await server.sql(as('mallory'), giftOn('vantage_changes'))
      const named = 'trigger gift on vantage_changes of "mallory"'
      await expect(open().migrate?.()).rejects.toThrow(named)
      expect(await sql(`SELECT rolsuper FROM pg_roles WHERE rolname = 'mallory'`)).toEqual([{ rolsuper: false }])
      await sql('DROP FUNCTION public.gift CASCADE')
      await open().migrate?.()
      // Also where nothing is left to do.
      await server.sql(as('mallory'), giftOn('vantage_changes'))
      await expect(open().migrate?.()).rejects.toThrow(named)
      await sql(`DROP FUNCTION public.gift CASCADE;
        CREATE RULE quiet AS ON INSERT TO vantage_token_revocations DO INSTEAD NOTHING`)
      await expect(open().migrate?.()).rejects.toThrow('in the way of its own: rule quiet on vantage_token_revocations')
    })

    test('has no function of his called by a default, a check or a type of a table that was given away', async () => {
      const store = open()
      await store.migrate?.()
      await sql('GRANT CREATE, USAGE ON SCHEMA public TO mallory')
      await server.sql(
        as('mallory'),
        `CREATE FUNCTION public.bait() RETURNS int LANGUAGE sql AS 'SELECT 1';
        CREATE DOMAIN public.lure AS int CHECK (VALUE = public.bait())`,
      )
      for (const [change, named] of [
        ['ADD COLUMN x int DEFAULT public.bait()', 'default of x on vantage_audit of "mallory"'],
        ['ADD CONSTRAINT x CHECK (public.bait() = 1)', 'constraint x on vantage_audit of "mallory"'],
        ['ADD COLUMN x public.lure', 'type of x on vantage_audit of "mallory"'],
      ]) {
        await sql(`ALTER TABLE vantage_audit ${change}`)
        await expect(open().migrate?.(), change).rejects.toThrow(named)
        await sql(`ALTER TABLE vantage_audit DROP COLUMN IF EXISTS x, DROP CONSTRAINT IF EXISTS x`)
      }
      await store.migrate?.()
    })

    test('stops a migration with the names of its indexes, and nobody takes another index for one of them', async () => {
      await sql('GRANT CREATE, USAGE ON SCHEMA public TO mallory')
      await server.sql(as('mallory'), 'CREATE TABLE vantage_keys_created (x int)')
      await expect(open().migrate?.()).rejects.toThrow('table vantage_keys_created of "mallory"')
      await sql('DROP TABLE vantage_keys_created; CREATE TABLE t (x int); CREATE INDEX vantage_keys_created ON t (x)')
      await expect(open().migrate?.()).rejects.toThrow('in the way of its own: index vantage_keys_created')
      await sql('DROP TABLE t')
      await open().migrate?.()
      expect(await sql(`SELECT tablename FROM pg_indexes WHERE indexname = 'vantage_keys_created'`)).toEqual([
        { tablename: 'vantage_keys' },
      ])
    })

    test('stops a migration, and a keyring, with a schema of his, which he could exchange afterwards', async () => {
      await sql('CREATE SCHEMA auth AUTHORIZATION mallory')
      const store = open({ connectionString: url, schema: 'auth' })
      await expect(store.migrate?.()).rejects.toThrow('schema auth of "mallory"')
      expect(await sql(`SELECT FROM pg_class WHERE relnamespace = 'auth'::regnamespace`)).toEqual([])
      await sql('ALTER SCHEMA auth OWNER TO admin')
      await store.migrate?.()
      await sql('ALTER SCHEMA auth OWNER TO mallory')
      await expect(createKeyring(store).list()).rejects.toThrow('schema auth of "mallory"')
    })

    if (major >= 14) {
      test('of the database may own the schema: pg_database_owner is its owner', async () => {
        await sql('ALTER SCHEMA public OWNER TO pg_database_owner')
        await open().migrate?.()
      })
    }

    test('holds up no revocation with what it creates afterwards, of which migrate tells', async () => {
      await open().migrate?.()
      await open().insert(storedKey('a'))
      await sql('GRANT CREATE, USAGE ON SCHEMA public TO mallory; DROP INDEX vantage_changes_at')
      await server.sql(
        as('mallory'),
        `CREATE FUNCTION public.vantage_log_change(int) RETURNS int LANGUAGE sql AS 'SELECT 1';
        CREATE TABLE public.vantage_changes_at (x int);
        CREATE FUNCTION public.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
        CREATE TRIGGER vantage_keys_before BEFORE INSERT ON public.vantage_changes_at EXECUTE FUNCTION public.f();
        ALTER TABLE public.vantage_changes_at ENABLE ALWAYS TRIGGER vantage_keys_before`,
      )
      const later = open({ connectionString: `${url}?application_name=planted` })
      expect((await createKeyring(later).revoke('a')).revokedAt).toBeInstanceOf(Date)
      const notices: string[] = []
      await later.migrate?.((notice) => notices.push(notice))
      expect(notices).toEqual([
        expect.stringContaining('table vantage_changes_at of "mallory", function vantage_log_change of "mallory"'),
      ])
      // One in the place of a function that is missing does not count as it.
      await sql('DROP FUNCTION public.vantage_log_change() CASCADE')
      const missing = open({ connectionString: `${url}?application_name=missing` })
      await expect(missing.find('a')).rejects.toThrow(/lacks tables, functions or triggers/)
    })

    test('with CREATEROLE makes others members of a role of his: trusted up to PostgreSQL 15, where he can do so with any', async () => {
      await sql(`CREATE ROLE creator LOGIN CREATEROLE PASSWORD 'p'`)
      closers.push(() => sql('DROP OWNED BY sub CASCADE; DROP ROLE IF EXISTS sub; DROP ROLE creator'))
      await server.sql(as('creator'), `CREATE ROLE sub LOGIN PASSWORD 'p'`)
      await sql('GRANT CREATE, USAGE ON SCHEMA public TO sub, dba')
      await openAs('sub').migrate?.()
      await server.sql(as('creator'), 'GRANT sub TO dba')
      const migration = openAs('dba').migrate?.()
      if (major < 16) expect(await migration).toBeGreaterThan(0)
      else await expect(migration).rejects.toThrow('table vantage_keys of "sub"')
    })

    test('is told of, with the statement that takes the right away', async () => {
      const store = open()
      const notices: string[] = []
      const note = (notice: string) => notices.push(notice)
      await store.migrate?.(note)
      expect(notices).toEqual([])
      await sql('GRANT CREATE ON SCHEMA public TO PUBLIC')
      await store.migrate?.(note)
      const cure = 'REVOKE CREATE ON SCHEMA "public" FROM PUBLIC'
      expect(notices).toEqual([expect.stringContaining(`Take that away: ${cure}`)])
      const command = spawnSync(process.execPath, ['--import', 'tsx', 'src/cli/main.ts', 'keys', 'migrate', '--json'], {
        encoding: 'utf8',
        env: { ...process.env, VANTAGE_KEY_STORE: url },
      })
      expect(command.stderr).toContain(cure)
      expect(JSON.parse(command.stdout)).toEqual({ version: await store.migrate?.() })
      await sql(cure)
      await store.migrate?.(note)
      expect(notices).toHaveLength(1)
    })
  })

  test('a role migrates what belongs to a role that it was made a member of', async () => {
    await sql('GRANT CREATE, USAGE ON SCHEMA public TO team, dba; GRANT team TO dba')
    closers.push(() => sql('REVOKE team FROM dba'))
    await openAs('team').migrate?.()
    await sql('DROP FUNCTION vantage_add_usage')
    await openAs('dba').migrate?.()
    await sql('ALTER FUNCTION vantage_add_usage OWNER TO team')
    await openAs('dba').migrate?.()
  })

  describe('a session of an application that shares its pool', () => {
    test('has none of its temporary tables and types read, and a forged key in one is refused', async () => {
      await open().migrate?.()
      const { key, stored } = createTestKey()
      const real = createTestKey()
      await open().insert(real.stored)
      // Each connection of the pool, the one of the feed too.
      class Poisoned extends Client {
        override connect(...given: never[]): never {
          const connected = super.connect(...(given as [])) as unknown
          void this.query(`CREATE TEMP TABLE vantage_keys (LIKE public.vantage_keys);
            CREATE TEMP TABLE vantage_schema AS SELECT true AS one, 99 AS version, 'forged' AS feed;
            CREATE TEMP TABLE vantage_changes (LIKE public.vantage_changes);
            CREATE TEMP TABLE vantage_token_revocations (LIKE public.vantage_token_revocations);
            CREATE DOMAIN pg_temp.text AS pg_catalog.int4;
            INSERT INTO pg_temp.vantage_keys (id, digest, subject, environment, scopes, created_at)
              VALUES ('${stored.id}', '${stored.digest}', 'root', 'live', 'jobs:write', '2026-01-01');
            SET search_path = pg_temp, public`)
          return connected as never
        }
      }
      const store = open({ pool: poolOf({ Client: Poisoned, max: 1 }) })
      const verifier = createVerifier({ issuer: false, keys: store })
      closers.push(() => verifier.close())
      expect(await decide(verifier, key)).toBe('401 unknown')
      expect(await decide(verifier, real.key)).toBe('accepted')
      expect((await store.list({ now: AT, limit: 9 })).map(({ id }) => id)).toEqual([real.stored.id])
      const { heard } = await watch(store)
      await createKeyring(open()).revoke(real.stored.id)
      await until(() => heard.includes(real.stored.id))
      expect(await decide(verifier, real.key)).toBe('401 revoked')
    })
  })

  describe('a service role', () => {
    const hostile: readonly Record<keyof UsageIncrement, string>[] = [
      { id: 'a', day: DAY, count: '-5', lastUsedAt: DAY },
      { id: 'a', day: DAY, count: '9223372036854775807', lastUsedAt: DAY },
      { id: 'a', day: DAY, count: '1', lastUsedAt: 'infinity' },
      { id: 'a', day: DAY, count: '1', lastUsedAt: '-infinity' },
      { id: 'a', day: DAY, count: '1', lastUsedAt: '290000-01-01' },
      { id: 'a', day: 'infinity', count: '1', lastUsedAt: DAY },
      { id: 'a', day: '4000-01-01 BC', count: '1', lastUsedAt: DAY },
      { id: 'a', day: '5000000-01-01', count: '1', lastUsedAt: DAY },
    ]

    async function expectAdministered(store: KeyStore): Promise<void> {
      const keyring = createKeyring(store)
      const [listed] = (await keyring.list()).keys
      expect(listed?.id).toBe('a')
      expect(Number.isFinite(listed?.lastUsedAt?.getTime() ?? 0)).toBe(true)
      const { total, days } = await keyring.usage('a', { days: 366 })
      for (const count of [total, ...days.map((day) => day.count)]) expect(Number.isSafeInteger(count)).toBe(true)
      expect(total).toBeGreaterThanOrEqual(0)
      expect((await keyring.revoke('a')).revokedAt).toBeInstanceOf(Date)
    }

    test('writes no usage that keeps a key from being listed, shown, counted and revoked', async () => {
      const store = open()
      await store.migrate?.()
      await store.insert(storedKey('a'))
      await grantService()
      for (const { id, day, count, lastUsedAt } of [...hostile, ...hostile]) {
        const call = `SELECT vantage_add_usage('{${id}}', '{${day}}', '{${count}}', '{${lastUsedAt}}')`
        await server.sql(as('service'), call)
      }
      const [row] = await sql(`SELECT count(*)::int AS rows, sum(count)::bigint::text AS count,
        max(last_used_at) < now() + interval '25 hours' AS soon FROM vantage_usage`)
      // Of the counts, the huge one is a thousand million at most, twice; those of 1 count six times.
      expect(row).toEqual({ rows: 1, count: '2000000006', soon: true })
      // Others go on counting.
      await store.addUsage([{ id: 'a', day: DAY, count: 1, lastUsedAt: AT }])
      await expectAdministered(store)
    })

    test('counts up to the largest number that is exact, and no further', async () => {
      const store = open()
      await store.migrate?.()
      await store.insert(storedKey('a'))
      await sql(`INSERT INTO vantage_usage VALUES ('a', '${DAY}', ${Number.MAX_SAFE_INTEGER - 1}, now())`)
      const use = { id: 'a', day: DAY, count: 5, lastUsedAt: AT }
      await store.addUsage([use])
      await store.addUsage([use])
      expect((await store.readUsage('a', DAY)).total).toBe(Number.MAX_SAFE_INTEGER)
      await expectAdministered(store)
    })

    test.each(hostile)('is survived by reading what it wrote under an older version, and mended: %j', async (use) => {
      await sql(readFileSync(new URL('../vectors/schema/postgres-2.sql', import.meta.url), 'utf8'))
      await sql(`INSERT INTO vantage_keys (id, digest, subject, environment, scopes, created_at)
        VALUES ('a', 'sha256:a', 's', 'live', 'jobs:read', now())`)
      await server.sql(
        url,
        `SELECT vantage_add_usage('{${use.id}}', '{${use.day}}', '{${use.count}}', '{${use.lastUsedAt}}')`,
      )
      const store = open()
      await store.migrate?.()
      await store.addUsage([{ id: 'a', day: DAY, count: 1, lastUsedAt: AT }])
      await expectAdministered(store)
    })

    test.each(hostile)('is survived by reading, whatever stands in the table: %j', async (use) => {
      const store = open()
      await store.migrate?.()
      await store.insert(storedKey('a'))
      await sql(`ALTER TABLE vantage_usage DROP CONSTRAINT vantage_usage_bounds;
        INSERT INTO vantage_usage VALUES ('a', '${use.day}', ${use.count}, '${use.lastUsedAt}')`)
      await expectAdministered(store)
    })

    test.each([['SELECT on all tables', ['ACCESS SHARE']]] as const)(
      'with %s can take no lock that holds revocations up',
      async (_, expected) => {
        const store = open()
        await store.migrate?.()
        await store.insert(storedKey('a'))
        await grantService()
        await sql('GRANT SELECT ON ALL TABLES IN SCHEMA public TO service')
        const holding = await shell('service')
        await holding.query('BEGIN')
        const taken = new Set<string>()
        const modes = [
          'ACCESS SHARE',
          'ROW SHARE',
          'ROW EXCLUSIVE',
          'SHARE UPDATE EXCLUSIVE',
          'SHARE',
          'EXCLUSIVE',
          'ACCESS EXCLUSIVE',
        ]
        for (const { name } of await sql(
          `SELECT relname AS name FROM pg_class WHERE relname LIKE 'vantage%' AND relkind = 'r'`,
        )) {
          for (const mode of modes) {
            await holding.query('SAVEPOINT s')
            await holding.query(`LOCK TABLE ${name} IN ${mode} MODE`).then(
              () => taken.add(mode),
              () => holding.query('ROLLBACK TO SAVEPOINT s'),
            )
          }
        }
        expect([...taken]).toEqual(expected)
        // And rows of usage, which the pruning of the log would delete.
        await holding.query(`SELECT vantage_add_usage('{a}', '{${DAY}}', '{1}', '{${DAY}}')`)
        await sql(`UPDATE vantage_changes SET at = now() - interval '8 days'`)
        await sql(`INSERT INTO vantage_changes (id) VALUES ('x')`)
        await store.insert(storedKey('b'))
        await sql(`SET statement_timeout = 5000; DELETE FROM vantage_keys WHERE id = 'a'`)
        await createKeyring(store).revoke('b')
      },
    )

    test('holding usage of a deleted key does not hold the pruning of the log up', async () => {
      const store = open()
      await store.migrate?.()
      for (const id of ['a', 'b']) await store.insert(storedKey(id))
      await store.addUsage([{ id: 'a', day: DAY, count: 1, lastUsedAt: AT }])
      await grantService()
      const holding = await shell('service')
      await holding.query(`BEGIN; SELECT vantage_add_usage('{a}', '{${DAY}}', '{1}', '{${DAY}}')`)
      await sql(`DELETE FROM vantage_keys WHERE id = 'a'`)
      await sql(`UPDATE vantage_changes SET at = now() - interval '8 days'`)
      await sql(`SET statement_timeout = 5000; UPDATE vantage_keys SET revoked_at = now() WHERE id = 'b'`)
      expect((await store.find('b'))?.revokedAt).not.toBeNull()
    })
  })

  describe('a role without any grant', () => {
    test('reads no table, calls no function and writes nothing', async () => {
      await open().migrate?.()
      const objects = await sql(`SELECT 'SELECT * FROM ' || relname AS statement FROM pg_class
          WHERE relname LIKE 'vantage%' AND relkind = 'r'
        UNION ALL SELECT 'SELECT ' || proname || '(' || rtrim(repeat('NULL, ', pronargs), ', ') || ')'
          FROM pg_proc WHERE proname LIKE 'vantage%'`)
      expect(objects.length).toBeGreaterThan(12)
      for (const { statement } of objects) {
        await expect(server.sql(as('mallory'), String(statement)), String(statement)).rejects.toThrow(
          /permission denied|trigger functions can only be called as triggers/,
        )
      }
      await expect(openAs('mallory').find('a')).rejects.toThrow(/does not permit this to the role/)
    })

    test('holds up no revocation and no migration with the advisory locks of all of them', async () => {
      const store = open()
      await store.migrate?.()
      await store.insert(storedKey('a'))
      const holding = await shell('mallory')
      const space = 0x76616b2e
      await holding.query(`SELECT pg_advisory_lock(${space}, 1), pg_advisory_lock(${space}, 2)`)
      expect((await createKeyring(store).revoke('a')).revokedAt).toBeInstanceOf(Date)
      await sql('DROP TRIGGER vantage_keys_changed ON vantage_keys')
      const later = open({ connectionString: `${url}?application_name=later` })
      expect(await later.migrate?.()).toBeGreaterThan(0)
    })

    test('costs a feed few reads and no memory with a flood of notifications, and slows no revocation down beyond its bound', async () => {
      let reads = 0
      class Counting extends Client {
        override query(...given: never[]): never {
          const [statement] = given as { text?: string }[]
          if (statement?.text?.includes('vantage_changes WHERE')) reads++
          return super.query(...(given as unknown as [string])) as never
        }
      }
      const administration = open()
      await administration.migrate?.()
      await administration.insert(storedKey('a'))
      const { heard } = await watch(open({ pool: poolOf({ Client: Counting }) }))
      setFlagsFromString('--expose-gc')
      const collect = runInNewContext('gc') as () => void
      collect()
      const before = process.memoryUsage().heapUsed
      const [readsBefore, startedAt] = [reads, performance.now()]
      const flooding = await shell('mallory')
      for (let i = 0; i < 400; i++) await flooding.query(`NOTIFY vantage_changes`)
      expect(reads - readsBefore).toBeLessThanOrEqual((performance.now() - startedAt) / 25 + 5)
      for (let i = 0; i < 100; i++) {
        await flooding.query(`SELECT pg_notify('vantage_changes', '${i}-' || i || repeat('x', 7900))
          FROM generate_series(1, 100) AS i`)
      }
      await sql(`UPDATE vantage_keys SET revoked_at = now() WHERE id = 'a'`)
      await until(() => heard.includes('a'))
      const elapsed = performance.now() - startedAt
      expect(reads - readsBefore).toBeLessThanOrEqual(elapsed / 25 + 5)
      collect()
      expect(process.memoryUsage().heapUsed - before).toBeLessThan(30_000_000)
    }, 60_000)
  })

  describe('an owner who switches triggers off', () => {
    async function ready() {
      const { key, stored } = createTestKey()
      const store = open()
      await store.migrate?.()
      await store.insert(stored)
      const verifier = createVerifier({ issuer: false, keys: open() })
      closers.push(() => verifier.close())
      const { feed } = await watch(open())
      await until(async () => (await decide(verifier, key)) === 'accepted')
      return { key, id: stored.id, verifier, feed, store }
    }

    test('is noticed: the feed is down, a warning names table and cure, and what he revokes is refused', async () => {
      const { key, id, verifier, feed, store } = await ready()
      const warnings: string[] = []
      const note = (warning: Error & { code?: string }) =>
        warning.code === 'VANTAGE_FEED_TRIGGERS' && warnings.push(warning.message)
      process.on('warning', note)
      closers.push(() => process.off('warning', note))
      await sql('ALTER TABLE vantage_keys DISABLE TRIGGER ALL')
      await sql(`UPDATE vantage_keys SET revoked_at = now() WHERE id = '${id}'`)
      await until(() => feed.state === 'down')
      await until(async () => (await decide(verifier, key)) === '401 revoked')
      // Once in a process: the first version that is tested here has it.
      if (major === versions[0]?.major) {
        await until(() => warnings.length > 0)
        expect(warnings).toEqual([
          expect.stringMatching(/^Changes of vantage_keys .*: npx vantage-auth keys migrate --store postgres:.*$/),
        ])
      }
      // As ordinary triggers they would not fire in each session.
      await sql('ALTER TABLE vantage_keys ENABLE TRIGGER ALL')
      await store.migrate?.()
      await until(() => feed.state === 'live')
    })

    test('for one transaction starts a new epoch, in which what he revoked is refused', async () => {
      const { key, id, verifier, feed } = await ready()
      const epoch = feed.epoch
      await sql(`BEGIN; ALTER TABLE vantage_keys DISABLE TRIGGER ALL;
        UPDATE vantage_keys SET revoked_at = now() WHERE id = '${id}';
        ${['before', 'changed', 'truncated', 'audited'].map((name) => `ALTER TABLE vantage_keys ENABLE ALWAYS TRIGGER vantage_keys_${name};`).join('')}
        COMMIT`)
      await until(() => feed.epoch > epoch)
      await until(async () => (await decide(verifier, key)) === '401 revoked')
      expect(feed.state).toBe('live')
    })

    test('by session_replication_role = replica switches nothing off', async () => {
      const { key, id, verifier } = await ready()
      await sql(`SET session_replication_role = replica; UPDATE vantage_keys SET revoked_at = now() WHERE id = '${id}'`)
      expect(await sql(`SELECT id FROM vantage_changes WHERE id = '${id}'`)).toHaveLength(2)
      await until(async () => (await decide(verifier, key)) === '401 revoked')
    })
  })

  test.each(['SCHEMA=x', '%73chema=x', 'currentSchema=x', 'search_path=x', 'schema', '%20schema=x', 'a=b&Schema=x'])(
    'a URL with ?%s is a TypeError that names schema, and not the schema public',
    (query) => {
      expect(() => openKeyStore(`${url}?${query}`)).toThrow(TypeError)
      expect(() => openKeyStore(`${url}?${query}`)).toThrow('write it schema=name')
    },
  )

  describe('rows that somebody wrote by hand', () => {
    const ROW = (id: string, subject: string, escaped = 0) =>
      `INSERT INTO vantage_token_revocations (id, issuer, subject, escaped, issued_before, created_at, ends_at)
        VALUES ('${id}', 'i', '${subject}', ${escaped}, now(), now(), now() + interval '1 day')`

    test('with an empty id are listed, and so is what is no JSON though it says so, as it stands', async () => {
      const store = open()
      await store.migrate?.()
      const { feed } = await watch(store)
      const { epoch } = feed
      await sql(
        `${ROW('', 'empty id')}; ${ROW('bad', 'not json', 1)}; ${ROW('number', '12', 1)}; ${ROW('name', '"a"', 1)}`,
      )
      const listed = (await store.tokenRevocations?.(Date.now())) ?? []
      expect(listed.map(({ id, subject }) => [id, subject])).toEqual([
        ['', 'empty id'],
        ['bad', 'not json'],
        ['name', 'a'],
        ['number', '12'],
      ])
      const names = { tokenId: null, subject: 'not json', clientId: null, sessionId: null }
      const token = { issuer: 'i', ...names, subjects: ['not json'] }
      expect((await store.findTokenRevocations?.(token))?.map(({ id }) => id)).toEqual(['bad'])
      await store.insert(storedKey('a'))
      expect(feed.state).toBe('live')
      expect(feed.epoch).toBe(epoch)
    })
  })

  test('rows that logical replication applies notify, and take their numbers under the lock', async () => {
    const store = open()
    await store.migrate?.()
    // As the worker that applies them: triggers of rows fire, those of statements do not.
    await sql(`ALTER TABLE vantage_keys DISABLE TRIGGER vantage_keys_before;
      ALTER TABLE vantage_token_revocations DISABLE TRIGGER vantage_tokens_before`)
    const listening = await shell('mallory')
    let heard = 0
    listening.on('notification', () => heard++)
    await listening.query('LISTEN vantage_changes')
    const applying = await poolOf({ max: 1 }).connect()
    closers.push(() => applying.release(true))
    for (const [i, statement] of [
      `INSERT INTO vantage_keys (id, digest, subject, environment, scopes, created_at)
        VALUES ('a', 'sha256:a', 's', 'live', 'jobs:read', now())`,
      `INSERT INTO vantage_token_revocations (id, issuer, subject, issued_before, created_at, ends_at)
        VALUES ('a', 'i', 's', now(), now(), now() + interval '1 day')`,
    ].entries()) {
      await applying.query(`BEGIN; ${statement}`)
      await expect(sql('BEGIN; LOCK TABLE vantage_lock IN EXCLUSIVE MODE NOWAIT')).rejects.toThrow(
        /could not obtain lock/,
      )
      await applying.query('COMMIT')
      await until(() => heard === i + 1)
    }
  })

  test('a URL with a schema opens the store of that schema', async () => {
    const store = openKeyStore(`${url}?schema=vault&application_name=vault`)
    closers.push(() => store.close())
    await exercise(store)
    expect(await sql('SELECT count(*)::int AS n FROM vault.vantage_keys')).toEqual([{ n: 2 }])
  })
})
