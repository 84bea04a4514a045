import { randomBytes, randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createKeyring } from '../../src/keyring/keyring.js'
import type { KeyStore } from '../../src/store/contract.js'
import { formatGrants, GRANTEES, type Grantee } from '../../src/store/postgres/grants.js'
import { SCHEMA_VERSION } from '../../src/store/postgres/schema.js'
import { postgresKeyStore } from '../../src/store/postgres/store.js'
import { type PostgresServer, postgresIsThere, startPostgres } from '../support/postgres.js'
import { until } from '../support/until.js'

describe('the statements', () => {
  test('are those of the README', () => {
    const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
    const statements = formatGrants('service', { role: 'vantage_service', schema: 'public' })
    expect(readme).toContain(`\`\`\`sql\n${statements.join('\n')}\n\`\`\``)
  })

  test.each([
    ['role', ''],
    ['role', 'public'],
    ['role', 'none'],
    ['role', 'pg_monitor'],
    ['role', 'a\nb'],
    ['role', 'a\u202eb'],
    ['role', 'é'.repeat(32)],
    ['schema', ''],
    ['schema', 'pg_catalog'],
    ['schema', 'a\u001b[31m'],
    ['schema', 'a\0b'],
  ])('refuse the %s %j', (name, value) => {
    const names = { role: 'service', schema: 'public', [name]: value }
    expect(() => formatGrants('service', names)).toThrow(new RegExp(`^${name} must`))
  })
})

describe.skipIf(!postgresIsThere())('on a server', () => {
  /** A name that would end the statement where it is not quoted. */
  const SCHEMA = `auth"; DROP SCHEMA public; --'é`
  const roleOf = (grantee: Grantee) => `${grantee} "of"; us`

  let server: PostgresServer
  let url: string

  beforeAll(async () => {
    server = await startPostgres()
    for (const grantee of GRANTEES) {
      const role = roleOf(grantee).replaceAll('"', '""')
      await server.sql(server.url('postgres'), `CREATE ROLE "${role}" LOGIN PASSWORD 'p'`)
    }
  }, 120_000)

  afterAll(() => server?.stop())

  beforeEach(async () => {
    url = await server.emptyDatabase()
    const owner = postgresKeyStore({ connectionString: url, schema: SCHEMA })
    await owner.migrate?.()
    await owner.close()
    for (const grantee of GRANTEES) {
      for (const statement of formatGrants(grantee, { role: roleOf(grantee), schema: SCHEMA })) {
        await server.sql(url, statement)
      }
    }
  })

  const as = (grantee: Grantee) => url.replace(/\/\/[^@]*@/, `//${encodeURIComponent(roleOf(grantee))}:p@`)

  const TOKENS = { issuer: 'https://issuer.example', subject: 'user_1', issuedBefore: new Date() }
  const DAY = 86_400_000
  /** Later than what an administrator has revoked, and no more than a day ahead. */
  const SOON = new Date(Date.now() + DAY / 2)
  const KEY = { subject: 'user_1', scopes: ['jobs:read'] } as const
  type Ring = ReturnType<typeof createKeyring>
  const ACTIONS = {
    create: (ring: Ring) => ring.create(KEY),
    rotate: (ring: Ring, _: KeyStore, id: string) => ring.rotate(id),
    edit: (ring: Ring, _: KeyStore, id: string) => ring.edit(id, { name: 'x' }),
    revoke: (ring: Ring, _: KeyStore, id: string) => ring.revoke(id),
    get: (ring: Ring, _: KeyStore, id: string) => ring.get(id),
    list: (ring: Ring) => ring.list({ unusedFor: '90d' }),
    usage: (ring: Ring, _: KeyStore, id: string) => ring.usage(id),
    totalUsage: (ring: Ring) => ring.totalUsage(),
    firstUses: async (_: Ring, store: KeyStore) => store.firstUses?.('2026-11-25', 1),
    audit: (ring: Ring) => ring.audit({ tenant: 'acme' }),
    revokeTokens: (ring: Ring) => ring.revokeTokens(TOKENS),
    revokeTokensOnce: (ring: Ring) =>
      ring.revokeTokensOnce({ issuer: TOKENS.issuer, id: randomUUID(), keepUntil: Date.now() + 1000 }, [TOKENS]),
    tokenRevocations: (ring: Ring) => ring.tokenRevocations(),
    find: (_: Ring, store: KeyStore, id: string) => store.find(id),
    addUsage: (_: Ring, store: KeyStore, id: string) =>
      store.addUsage([{ id, day: '2026-11-25', count: 1, lastUsedAt: Date.now() }]),
    findTokenRevocations: async (_: Ring, store: KeyStore) =>
      store.findTokenRevocations?.({
        issuer: 'https://issuer.example',
        tokenId: 'a',
        subject: 'b',
        subjects: ['b'],
        clientId: null,
        sessionId: null,
      }),
  }
  type Action = keyof typeof ACTIONS
  const READING: readonly Action[] = [
    'get',
    'list',
    'usage',
    'totalUsage',
    'firstUses',
    'audit',
    'tokenRevocations',
    'find',
    'findTokenRevocations',
  ]
  const MAY: Record<Grantee, readonly Action[]> = {
    service: ['find', 'addUsage', 'findTokenRevocations', 'tokenRevocations'],
    administrator: ['create', 'rotate', 'edit', 'revoke', 'revokeTokens', 'revokeTokensOnce', ...READING],
    reader: READING,
    receiver: ['revokeTokensOnce'],
  }

  test.each(GRANTEES)('a role with the grants of a %s does what it is for, and no more', async (grantee) => {
    const owner = createKeyring(postgresKeyStore({ connectionString: url, schema: SCHEMA }))
    const store = postgresKeyStore({ connectionString: as(grantee), schema: SCHEMA })
    const ring = createKeyring(store)
    const done: string[] = []
    for (const [name, act] of Object.entries(ACTIONS)) {
      const { record } = await owner.create(KEY)
      try {
        await act(ring, store, record.id)
        done.push(name)
      } catch (error) {
        // Not by mistake: the server has refused it.
        expect((error as { cause?: { code?: unknown } }).cause?.code, `${name}: ${error}`).toBe('42501')
      }
    }
    await store.close()
    expect(done.sort()).toEqual([...MAY[grantee]].sort())
  })

  test('a keyring with the grants of an administrator hears what others do, and at once', {
    timeout: 30_000,
  }, async () => {
    const owner = createKeyring(postgresKeyStore({ connectionString: url, schema: SCHEMA }))
    const store = postgresKeyStore({ connectionString: as('administrator'), schema: SCHEMA })
    const ring = createKeyring(store, { migrate: false })
    const heard: string[] = []
    const watch = ring.watch((event) => heard.push(event.type === 'reload' ? 'reload' : event.record.id))
    const feed = store.watch?.(() => {})
    await until(() => feed?.state === 'live')
    const { record } = await owner.create(KEY)
    await until(() => heard.includes(record.id))
    await watch.close()
    await feed?.close()
    await store.close()
  })

  test.each(GRANTEES)('a %s writes nothing by hand that triggers and functions write', async (grantee) => {
    const place = `"${SCHEMA.replaceAll('"', '""')}"`
    for (const statement of [
      `UPDATE ${place}.vantage_schema SET version = ${SCHEMA_VERSION + 1}`,
      `DELETE FROM ${place}.vantage_audit`,
      `INSERT INTO ${place}.vantage_audit (action) VALUES ('create')`,
      `INSERT INTO ${place}.vantage_changes (id) VALUES ('a')`,
      `DELETE FROM ${place}.vantage_usage`,
      `DELETE FROM ${place}.vantage_keys`,
      `TRUNCATE ${place}.vantage_token_revocations`,
      `BEGIN; LOCK TABLE ${place}.vantage_lock IN EXCLUSIVE MODE`,
      `DROP TABLE ${place}.vantage_keys`,
      `CREATE TABLE ${place}.another (x int)`,
    ]) {
      await expect(server.sql(as(grantee), statement), statement).rejects.toMatchObject({ code: '42501' })
    }
  })

  test('a receiver takes no revocation back, speaks for nobody, and writes nothing that is no revocation', async () => {
    const place = `"${SCHEMA.replaceAll('"', '""')}"`
    const owner = postgresKeyStore({ connectionString: url, schema: SCHEMA })
    const ring = createKeyring(owner)
    const inForce = [
      await ring.revokeTokens(TOKENS),
      await ring.revokeTokens({ issuer: TOKENS.issuer, sessionId: 's' }),
    ]
    const revoke = (row: object, { at = 'now()', digest = randomBytes(32).toString('hex') } = {}) => {
      const whole = { id: randomUUID(), issuer: TOKENS.issuer, escaped: 0, without_session: 0, created_by: 'receiver' }
      const instants = {
        issued_before: new Date(0),
        created_at: new Date(),
        ends_at: new Date(Date.now() + 36_500 * DAY),
      }
      const rows = JSON.stringify([{ ...whole, ...instants, ...row }]).replaceAll("'", "''")
      return server.sql(
        as('receiver'),
        `SELECT ${place}.vantage_revoke_tokens_once('sha256:${digest}', 'sha256:${'0'.repeat(64)}', '9999-12-31', ${at},
          '${rows}'::json) AS added`,
      )
    }
    const ids = async () => (await ring.tokenRevocations()).map(({ id }) => id)
    // By an earlier instant, for a shorter time, of fewer tokens, or as if all had ended.
    await revoke({ subject: TOKENS.subject })
    await revoke({ subject: TOKENS.subject, issued_before: SOON, ends_at: new Date() })
    await revoke({ subject: TOKENS.subject, issued_before: SOON, without_session: 1 })
    await revoke({ session_id: 's' })
    await revoke({ client_id: 'c' }, { at: "'9999-12-31'" })
    expect(await ids()).toEqual(expect.arrayContaining(inForce.map(({ id }) => id)))

    const before = await ids()
    for (const [row, code] of [
      [{ subject: 'x', created_by: 'ann' }, '23514'],
      [{ subject: 'x', created_by: null }, '23514'],
      [{ subject: 'x', created_by: 'receivers' }, '23514'],
      [{ subject: '"x","issuer":"https://b.example"', escaped: 1 }, '22P02'],
      [{ subject: '{"a":1}', escaped: 1 }, '23514'],
      [{ subject: 'x', token_id: 'y' }, '23514'],
      [{ subject: 'x', issued_before: null }, '23514'],
      [{ id: inForce[0]?.id, subject: 'x' }, '23505'],
      // What no keyring writes: of any length, for ever, or with what writes to a terminal.
      [{ subject: 'x', id: '' }, '23514'],
      [{ subject: 'x', id: 'a b' }, '23514'],
      [{ subject: 'x', id: 'i'.repeat(65) }, '23514'],
      [{ subject: '' }, '23514'],
      [{ subject: 'x'.repeat(8193) }, '23514'],
      [{ session_id: 'é'.repeat(4097), issued_before: null }, '23514'],
      [{ subject: JSON.stringify('\u0000'.repeat(8193)), escaped: 1 }, '23514'],
      [{ subject: '"x"', escaped: 1 }, '23514'],
      [{ subject: 'x', issuer: '' }, '23514'],
      [{ subject: 'x', issuer: `https://${'x'.repeat(8185)}` }, '23514'],
      [{ subject: 'x', created_by: `receiver:${'x'.repeat(248)}` }, '23514'],
      [{ subject: 'x', created_by: 'receiver:\nann' }, '23514'],
      [{ subject: 'x', reason: 'x'.repeat(257) }, '23514'],
      [{ subject: 'x', reason: ' ' }, '23514'],
      [{ subject: 'x', reason: '\u001b[2J' }, '23514'],
      [{ subject: 'x', reason: 'a\u009bb' }, '23514'],
      [{ subject: 'x', reason: 'a\u2028b' }, '23514'],
      [{ subject: 'x', issued_before: new Date(Date.now() + 1.1 * DAY) }, '23514'],
      [{ subject: 'x', issued_before: '-infinity' }, '23514'],
      [{ subject: 'x', ends_at: new Date(Date.now() + 36_503 * DAY) }, '23514'],
      [{ subject: 'x', ends_at: 'infinity' }, '23514'],
      [{ subject: 'x', reason: 'y'.repeat(12_000_000) }, '23514'],
    ] as const) {
      await expect(revoke(row), JSON.stringify(row).slice(0, 200)).rejects.toMatchObject({ code })
    }
    await expect(revoke({ subject: 'x' }, { digest: 'jti' })).rejects.toMatchObject({ code: '23514' })
    const call = (sender: string, rows: string) =>
      server.sql(
        as('receiver'),
        `SELECT ${place}.vantage_revoke_tokens_once('sha256:' || repeat('1', 64), '${sender}', now(), now(), ${rows})`,
      )
    const sender = `sha256:${'0'.repeat(64)}`
    for (const [by, rows] of [
      ['https://issuer.example', `'[]'`],
      [sender, 'NULL'],
      [sender, `'[${Array(101).fill('{}').join()}]'`],
    ] as const)
      await expect(call(by, rows), rows).rejects.toMatchObject({ code: '23514' })
    for (const rows of [`'{}'`, `'1'`, `'null'`]) await expect(call(sender, rows), rows).rejects.toThrow()
    expect(await ids()).toEqual(before)
    expect(await revoke({ subject: JSON.stringify('a\u0000b'), escaped: 1 })).toEqual([{ added: true }])
    expect((await ring.tokenRevocations())[0]?.subject).toBe('a\u0000b')
    // The longest that a keyring writes.
    expect(
      await revoke({
        subject: JSON.stringify('\u0000'.repeat(8192)),
        escaped: 1,
        created_by: `receiver:${'x'.repeat(247)}`,
        reason: 'é'.repeat(256),
      }),
    ).toEqual([{ added: true }])
    // It chooses no room but that of events, whatever it says of the sender.
    await revoke({ client_id: 'roomless', sender: null })
    expect(
      await server.sql(
        url,
        `SELECT count(*)::int AS rows FROM ${place}.vantage_token_revocations WHERE sender IS NULL`,
      ),
    ).toEqual([{ rows: inForce.length }])
    // What was meant to stay until the year 9999 ends in a year.
    const [kept] = await server.sql(
      url,
      `SELECT max(ends_at) < now() + interval '368 days' AS soon FROM ${place}.vantage_token_events`,
    )
    expect(kept).toEqual({ soon: true })
    for (const statement of ['SELECT * FROM', 'DELETE FROM', 'TRUNCATE'])
      for (const table of ['vantage_token_events', 'vantage_token_revocations', 'vantage_keys', 'vantage_audit'])
        await expect(server.sql(as('receiver'), `${statement} ${place}.${table}`)).rejects.toMatchObject({
          code: '42501',
        })
    await owner.close()
  })

  test('a keyring with migrate: false makes no table in an empty database, and migrates no old schema', async () => {
    const tables = () =>
      server.sql(
        url,
        `SELECT relname FROM pg_class WHERE relname LIKE 'vantage%' AND relnamespace = 'public'::regnamespace`,
      )
    const version = async () => (await server.sql(url, 'SELECT version FROM public.vantage_schema'))[0]?.version
    const store = postgresKeyStore({ connectionString: url })
    const readings = (ring: Ring) => [
      ring.get('a'),
      ring.list(),
      ring.usage('a'),
      ring.audit(),
      ring.tokenRevocations(),
    ]
    for (const reading of readings(createKeyring(store, { migrate: false })))
      await expect(reading).rejects.toThrow(/keys migrate/)
    expect(await tables()).toEqual([])
    await store.migrate?.()
    await server.sql(url, 'UPDATE public.vantage_schema SET version = version - 1')
    for (const reading of readings(createKeyring(store, { migrate: false }))) {
      await expect(reading).rejects.toThrow(/has an old key schema.*keys migrate/)
    }
    expect(await version()).toBe(SCHEMA_VERSION - 1)
    await store.close()
  })
})
