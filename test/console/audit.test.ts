import { createKeyring, memoryKeyStore } from 'vantage-auth'
import { ALL_TENANTS } from 'vantage-auth/console'
import { describe, expect, test } from 'vitest'
import { ADA, ask, createConsole } from '../support/consoles.js'

describe('the audit trail', () => {
  async function createTrail() {
    const keyring = createKeyring(memoryKeyStore())
    const make = async (tenant: string, subject: string) =>
      (await keyring.create({ tenant, subject, scopes: ['jobs:read'], actor: 'cli' })).record.id
    return { keyring, own: await make('acme', 'ada'), others: await make('globex', 'eve') }
  }

  test('has entries of keys that the caller may see, and of no others', async () => {
    const { keyring, own, others } = await createTrail()
    const keyConsole = createConsole({ keyring })
    const seen = async (query = '') =>
      (await ask(keyConsole, `/api/audit${query}`)).json.entries.map(({ keyId }: { keyId: string }) => keyId)
    expect(await seen()).toEqual([own])
    expect(await seen(`?id=${own}`)).toEqual([own])
    expect(await seen(`?id=${others}`)).toEqual([])
    expect(await seen('?id=nosuchkey000')).toEqual([])
    const all = createConsole({ keyring, authorize: () => ({ actor: 'root', tenant: ALL_TENANTS }) })
    expect((await ask(all, '/api/audit?limit=1')).json).toMatchObject({ entries: [{ keyId: others }], cursor: '2' })
  })

  test('a key in place of an id is 404, and authorize hears of ids alone', async () => {
    const { keyring, own } = await createTrail()
    const questions: unknown[] = []
    const keyConsole = createConsole({
      keyring,
      authorize: (_request, question) => {
        questions.push(question)
        return ADA
      },
    })
    const answer = await ask(keyConsole, `/api/audit?id=vak_live_${'k'.repeat(61)}`)
    expect([answer.status, answer.json.error]).toEqual([404, 'not_found'])
    await ask(keyConsole, `/api/audit?id=${own}`)
    expect(questions).toEqual([{ action: 'audit' }, { action: 'audit', id: own }])
  })
})
