import { describe, expect, test } from 'vitest'
import { actorOf, isAct } from '../../src/core/actor.js'

/** An `act` claim of `depth` actors, the outermost first: `a0`, `a1` and so on. */
function nested(depth: number, at = depth - 1, inner?: object): { sub: string } {
  const act = { sub: `a${at}`, ...(inner && { act: inner }) }
  return at === 0 ? act : nested(depth, at - 1, act)
}

describe('an act claim', () => {
  test.each([[null], ['svc'], [true], [7], [[{ sub: 'svc' }]], [{ sub: 7 }], [{ sub: '' }], [{ sub: null }]])(
    'of %j is of no party',
    (act) => {
      expect(isAct(act)).toBe(false)
      expect(actorOf(act)).toBeNull()
    },
  )

  test('names nobody by a sub that it inherits', () => {
    expect(actorOf(Object.create({ sub: 'svc' }))).toEqual({ subject: null, clientId: null, chain: [] })
  })

  test.each([[{}], [{ client_id: 'c' }], [{ sub: undefined, email: 'a@b.example' }]])(
    'without a sub is of a party that has no subject: %j',
    (act) => {
      expect(isAct(act)).toBe(true)
      expect(actorOf(act)).toMatchObject({ subject: null, chain: [] })
    },
  )

  test('names who acts, by subject and client', () => {
    expect(actorOf({ sub: 'svc', client_id: 'c1', iss: 'x' })).toEqual({ subject: 'svc', clientId: 'c1', chain: [] })
    expect(actorOf({ sub: 'svc' })).toEqual({ subject: 'svc', clientId: null, chain: [] })
    expect(actorOf({ sub: 'svc', client_id: 5 })?.clientId).toBeNull()
    expect(actorOf({ sub: 'svc', client_id: '' })?.clientId).toBeNull()
  })

  test('has those who acted before in its chain, the latest first', () => {
    const act = { sub: 'a', act: { sub: 'b', client_id: 'cb', act: { sub: 'c', more: 1 } } }
    expect(actorOf(act)?.chain).toEqual([
      { subject: 'b', clientId: 'cb' },
      { subject: 'c', clientId: null },
    ])
  })

  test('has a chain of ten at most', () => {
    expect(actorOf(nested(11))?.chain).toHaveLength(10)
    const { subject, chain } = actorOf(nested(12)) ?? { chain: [] }
    expect(subject).toBe('a0')
    expect(chain.map((party) => party.subject)).toEqual(Array.from({ length: 10 }, (_, i) => `a${i + 1}`))
  })

  test('has a chain that ends before what is no party', () => {
    expect(actorOf({ sub: 'a', act: 'b' })?.chain).toEqual([])
    expect(actorOf({ sub: 'a', act: { sub: 7, act: { sub: 'd' } } })?.chain).toEqual([])
    expect(actorOf({ act: { sub: 'b', act: { client_id: 'c', act: { sub: 'd' } } } })).toEqual({
      subject: null,
      clientId: null,
      chain: [
        { subject: 'b', clientId: null },
        { subject: null, clientId: 'c' },
        { subject: 'd', clientId: null },
      ],
    })
  })

  test('is frozen at every level', () => {
    const act = nested(3)
    const actor = actorOf(act)
    for (const part of [actor, actor?.chain, ...(actor?.chain ?? [])]) expect(Object.isFrozen(part)).toBe(true)
  })
})
