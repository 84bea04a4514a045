import { describe, expect, test } from 'vitest'
import { createKeyring } from '../../src/keyring/keyring.js'
import { createReceiver } from '../../src/receiver/receiver.js'
import { memoryKeyStore } from '../../src/store/memory.js'
import { createProvider, createWorld, PROVIDER, postEvent, postForm, postRevocation } from '../support/providers.js'

const provider = createProvider()
const keyring = createKeyring(memoryKeyStore())
const good = { issuer: PROVIDER, audience: 'client-1', jwks: provider.jwks }
const SECRET = 'Bearer stream-secret-0123456789'

function messageOf(options: unknown): string {
  try {
    void createReceiver(options as never).close()
  } catch (error) {
    expect(error).toBeInstanceOf(TypeError)
    return (error as Error).message
  }
  return 'no error'
}

describe('a wrong option is a TypeError that names it and the cure', () => {
  test.each<[unknown, string]>([
    [undefined, 'createRevocationReceiver() options must be an object with keyring, issuers'],
    [{}, 'keyring must be what createKeyring() returns'],
    [{ keyring: {}, issuers: [good] }, 'keyring must be what createKeyring() returns'],
    [{ keyring: memoryKeyStore(), issuers: [good] }, 'keyring must be what createKeyring() returns'],
    [
      { keyring: Object.defineProperty({}, Symbol.for('vantage-auth.keyring'), { value: true }), issuers: [good] },
      'keyring was made by a version of vantage-auth without revokeTokensOnce()',
    ],
    [{ keyring }, 'issuers must be a list of { issuer, audience, … }'],
    [{ keyring, issuers: [] }, 'issuers must be a list of { issuer, audience, … }'],
    [{ keyring, issuers: [PROVIDER] }, 'issuers must be a list of { issuer, audience, … }'],
    [{ keyring, issuers: good }, 'issuers must be a list of { issuer, audience, … }'],
    [{ keyring, issuers: [good, good] }, 'issuers names one issuer twice; put both audiences into one entry'],
    [{ keyring, issuers: [good], issuer: 'x' }, 'unknown createRevocationReceiver() option "issuer"'],
    [{ keyring, issuers: [good], timeoutMs: 0 }, 'timeoutMs must be a'],
    [{ keyring, issuers: [good], realm: '"' }, 'realm must be printable ASCII'],
    [{ keyring, issuers: [good], clock: 1 }, 'clock must be a function'],
    [{ keyring, issuers: [good], clockToleranceSeconds: 301 }, 'clockToleranceSeconds must be a number from 0 to 300'],
    [{ keyring, issuers: [good], outageNotices: 'no' }, 'outageNotices must be true or false'],
    [{ keyring, issuers: [{ ...good, audience: undefined }] }, 'issuers[0].audience is required: the client id'],
    [{ keyring, issuers: [{ ...good, audience: [] }] }, 'issuers[0].audience must be a string, or a list'],
    [{ keyring, issuers: [{ ...good, issuer: undefined }] }, "issuers[0].issuer must be the issuer's URL"],
    [
      { keyring, issuers: [{ ...good, issuer: 'http://idp.example', jwks: undefined }] },
      'issuers[0].issuer must be https',
    ],
    [{ keyring, issuers: [{ ...good, jwks: { keys: [] } }] }, 'issuers[0].jwks must be a JSON Web Key Set'],
    [
      { keyring, issuers: [{ ...good, jwksUri: 'https://idp.example/jwks' }] },
      'issuers[0].jwks and issuers[0].jwksUri exclude each other',
    ],
    [
      { keyring, issuers: [{ ...good, algorithms: ['HS256'] }] },
      'issuers[0].algorithms must be a list of asymmetric algorithms',
    ],
    [{ keyring, issuers: [{ ...good, fetch: 1 }] }, 'issuers[0].fetch'],
    [{ keyring, issuers: [{ ...good, subjectIssuers: 'other' }] }, 'issuers[0].subjectIssuers is not a URL'],
    [{ keyring, issuers: [{ ...good, subjectIssuers: [] }] }, 'issuers[0].subjectIssuers must be a string, or a list'],
    [{ keyring, issuers: [{ ...good, tokenIssuers: 'other' }] }, 'issuers[0].tokenIssuers is not a URL'],
    [{ keyring, issuers: [{ ...good, tokenIssuers: [] }] }, 'issuers[0].tokenIssuers must be a string, or a list'],
    [
      { keyring, issuers: [{ ...good, tokenIssuers: Array.from({ length: 11 }, (_, i) => `https://${i}.example`) }] },
      'issuers[0].tokenIssuers must name 10 issuers at most',
    ],
    [{ keyring, issuers: [{ ...good, tokenLife: '1y' }] }, 'issuers[0].tokenLife must be a duration'],
    [{ keyring, issuers: [{ ...good, profile: 'lenient' }] }, 'unknown issuers[0] option "profile"'],
    [
      { keyring, issuers: [{ ...good, authorization: 'Bearer short' }] },
      'issuers[0].authorization must be the whole value',
    ],
    [
      { keyring, issuers: [{ ...good, authorization: `${SECRET} ` }] },
      'issuers[0].authorization must be the whole value',
    ],
    [
      { keyring, issuers: [{ ...good, authorization: `${SECRET}\n` }] },
      'issuers[0].authorization must be the whole value',
    ],
    [{ keyring, issuers: [{ ...good, authorization: [SECRET] }] }, 'issuers[0].authorization must be the whole value'],
  ])('%#', (options, message) => {
    const told = messageOf(options)
    expect(told).toContain(message)
    expect(told).not.toContain('stream-secret')
  })

  test('and a good one is none', () => {
    expect(
      messageOf({ keyring, issuers: [{ ...good, authorization: SECRET, subjectIssuers: ['https://other.example'] }] }),
    ).toBe('no error')
  })
})

describe('authorization', () => {
  test.each<[string | readonly string[] | undefined, number]>([
    [SECRET, 202],
    [[SECRET], 202],
    [undefined, 400],
    ['', 400],
    [SECRET.toLowerCase(), 400],
    [`${SECRET}x`, 400],
    ['Bearer', 400],
  ])('is compared as a whole: %j', async (authorization, status) => {
    const world = createWorld({ sender: { authorization: SECRET } })
    const answer = await world.receiver.handle(postEvent(world.provider.securityEvent(), authorization))
    expect(answer.status).toBe(status)
    if (status === 400) {
      expect(JSON.parse(answer.body)).toEqual({
        err: 'authentication_failed',
        description: 'The Authorization header is not the one of this issuer',
      })
      expect(world.events).toMatchObject([{ outcome: 'refused', reason: 'authorization' }])
      expect(await world.keyring.tokenRevocations()).toEqual([])
    }
    await world.close()
  })

  test('is asked for of its own stream alone, and of pushes alone', async () => {
    const other = createProvider({ issuer: 'https://other.example' })
    const world = createWorld({
      sender: { authorization: SECRET },
      others: [{ issuer: other.issuer, audience: 'client-1', jwks: other.jwks }],
    })
    const statuses = []
    for (const request of [
      postEvent(other.securityEvent()),
      postForm(world.provider.logoutToken()),
      postRevocation(world.provider.revocationToken()),
    ]) {
      statuses.push((await world.receiver.handle(request)).status)
    }
    expect(statuses).toEqual([202, 200, 204])
    await world.close()
  })

  test('whoever lacks it causes no fetch', async () => {
    let fetches = 0
    const fetch = async () => {
      fetches++
      return new Response('', { status: 500 })
    }
    const world = createWorld({ sender: { authorization: SECRET, jwks: undefined, fetch } })
    expect((await world.receiver.handle(postEvent(world.provider.securityEvent()))).status).toBe(400)
    expect(fetches).toBe(0)
    expect((await world.receiver.handle(postEvent(world.provider.securityEvent(), SECRET))).status).toBe(503)
    expect(fetches).toBeGreaterThan(0)
    await world.close()
  })
})
