import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { createKeyLookup, type FoundKey, type KeyLookup } from '../../src/api-key/key-lookup.js'
import { UnavailableError } from '../../src/core/errors.js'
import type { KeyChange } from '../../src/store/contract.js'

import { createDeferred, createOwnStore, createTestKey, turn } from '../support/stored-keys.js'

const LONG = 60_000

function setUp(timeoutMs = LONG, watch = true) {
  const key = createTestKey()
  const store = createOwnStore(key)
  const changes: KeyChange[] = []
  const lookup = createKeyLookup(store, timeoutMs, watch ? (change) => void changes.push(change) : undefined)
  const find = (id = key.id) => lookup.find(id, ({ key: found }) => found?.id)
  return { key, store, changes, lookup, find }
}

/** A store whose answers wait for the test, in the order of the questions. */
function heldBack(store: ReturnType<typeof createOwnStore>) {
  const answers: ReturnType<typeof createDeferred<unknown>>[] = []
  store.onFind = () => {
    const answer = createDeferred<unknown>()
    answers.push(answer)
    return answer.promise
  }
  return answers
}

describe('find', () => {
  test('asks once for all that want the same key at the same time, and again for later ones', async () => {
    const { key, store, find } = setUp()
    expect(await Promise.all([find(), find(), find()])).toEqual([key.id, key.id, key.id])
    expect(store.asked).toHaveLength(1)
    await find()
    expect(store.asked).toHaveLength(2)
  })

  test('asks for different keys at the same time', async () => {
    const { store, find } = setUp()
    const answers = heldBack(store)
    const found = [find('a'), find('b')]
    await turn()
    expect(store.asked).toEqual(['a', 'b'])
    for (const answer of answers) answer.resolve(undefined)
    expect(await Promise.all(found)).toEqual([undefined, undefined])
  })

  test('rejects with what its use throws, and with that alone for the one who threw', async () => {
    const { key, lookup, find } = setUp()
    const broken = new Error('mine')
    const [one, two] = await Promise.allSettled([
      lookup.find(key.id, () => {
        throw broken
      }),
      find(),
    ])
    expect(one).toEqual({ status: 'rejected', reason: broken })
    expect(two).toEqual({ status: 'fulfilled', value: key.id })
  })

  test('uses what it found before anything else can happen', async () => {
    const { key, store, lookup } = setUp()
    const order: string[] = []
    const row = Promise.resolve(key.stored)
    store.onFind = () => row
    const found = lookup.find(key.id, () => order.push('used'))
    await Promise.resolve()
    store.announce({ id: key.id })
    await found
    // The change was heard before the answer: asked twice, used once.
    expect(store.asked).toHaveLength(2)
    expect(order).toEqual(['used'])
  })

  test('tells the epoch and the generation of the time at which the store was asked', async () => {
    const { key, store, lookup } = setUp()
    const answers = heldBack(store)
    const epoch = lookup.changes.currentEpoch()
    const { generation } = lookup.changes
    const found = lookup.find(key.id, (given: FoundKey) => given)
    await turn()
    store.announce({ id: 'another' })
    store.feed.epoch = 9
    expect(lookup.changes.currentEpoch()).not.toBe(epoch)
    answers[0]?.resolve(key.stored)
    expect(await found).toEqual({ key: key.stored, epoch, generation })
    expect(lookup.changes.generation).toBe(generation + 2)
  })
})

describe('a request that comes while the store is being asked', () => {
  /** Two requests for one key: the second comes after the question, and after `meanwhile`. */
  async function ask(before: (store: ReturnType<typeof createOwnStore>) => void, meanwhile: typeof before = () => {}) {
    const { key, store, lookup, find } = setUp()
    before(store)
    const answers = heldBack(store)
    const early = find()
    await turn()
    meanwhile(store)
    const late = find()
    answers[0]?.resolve(key.stored)
    expect(await early).toBe(key.id)
    await turn()
    return { key, store, lookup, answers, late, find }
  }

  test('shares the answer while the store tells of its changes', async () => {
    const { key, store, late } = await ask(() => {})
    expect(await late).toBe(key.id)
    expect(store.asked).toHaveLength(1)
  })

  test.each([
    [
      'does not tell of its changes',
      (store: ReturnType<typeof createOwnStore>) => Object.assign(store.feed, { state: 'down' }),
      undefined,
    ],
    [
      'began to tell of them after the question',
      (store: ReturnType<typeof createOwnStore>) => Object.assign(store.feed, { state: 'down' }),
      (store: ReturnType<typeof createOwnStore>) => Object.assign(store.feed, { state: 'live' }),
    ],
    [
      'may have missed some since',
      () => {},
      (store: ReturnType<typeof createOwnStore>) => Object.assign(store.feed, { epoch: 7 }),
    ],
  ])('is looked up anew where the store %s', async (_, before, meanwhile) => {
    const { store, answers, late } = await ask(before, meanwhile)
    expect(store.asked).toHaveLength(2)
    // Revoked and deleted after the first question.
    answers[1]?.resolve(undefined)
    expect(await late).toBeUndefined()
  })

  test('is answered before the end, and the store is not asked after it', async () => {
    const { key, store, lookup, find } = setUp()
    store.feed.state = 'down'
    const answers = heldBack(store)
    const early = find()
    await turn()
    const late = find()
    let isClosed = false
    const closing = lookup.close().then(() => {
      isClosed = true
    })
    answers[0]?.resolve(key.stored)
    expect(await early).toBe(key.id)
    await turn()
    expect([store.asked.length, isClosed]).toEqual([2, false])
    answers[1]?.resolve(key.stored)
    expect(await late).toBe(key.id)
    await closing
  })

  test('fails with the look-up that it waits for', async () => {
    const { store, find } = setUp()
    store.feed.state = 'down'
    const answers = heldBack(store)
    const requests = [find()]
    await turn()
    requests.push(find())
    answers[0]?.reject(new Error('gone'))
    const outcomes = await Promise.allSettled(requests)
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    expect(store.asked).toHaveLength(1)
  })
})

describe('a change during a look-up', () => {
  test('of the same key has it asked again; of another key not', async () => {
    const { key, store, find } = setUp()
    const answers = heldBack(store)
    const found = find()
    await turn()
    store.announce({ id: 'another' })
    answers[0]?.resolve(key.stored)
    expect(await found).toBe(key.id)
    expect(store.asked).toHaveLength(1)

    const again = find()
    await turn()
    store.announce({ id: key.id })
    answers[1]?.resolve(key.stored)
    await turn()
    expect(store.asked).toHaveLength(3)
    answers[2]?.resolve(undefined)
    expect(await again).toBeUndefined()
  })

  test.each([
    ['of all keys', { all: true }],
    ['that names none', {}],
    ['that is nothing', undefined],
    ['whose id is a number', { id: 7 }],
  ])('%s concerns each', async (_, change) => {
    const { key, store, changes, find } = setUp()
    const answers = heldBack(store)
    const found = find()
    await turn()
    store.announce(change as KeyChange)
    answers[0]?.resolve(key.stored)
    await turn()
    answers[1]?.resolve(undefined)
    expect(await found).toBeUndefined()
    expect(changes).toEqual([{ all: true }])
  })

  test('in each of ten rounds ends it', async () => {
    const { store, find } = setUp()
    store.onFind = async (id) => {
      store.announce({ id })
      return undefined
    }
    const error = await find().catch((error: unknown) => error)
    expect(error).toBeInstanceOf(UnavailableError)
    expect(store.asked).toHaveLength(10)
    store.onFind = undefined
    await find()
  })
})

describe('the bounds', () => {
  /** Questions for as many keys as there are places, in flight and to wait in. */
  async function fill(find: (id: string) => Promise<unknown>) {
    const found = Array.from({ length: 1100 }, (_, i) => find(`k${i}`).catch((error: UnavailableError) => error))
    await turn()
    return found
  }

  /** Answers all questions, those too that are asked meanwhile, with "no such key". */
  async function answerAll(answers: ReturnType<typeof heldBack>) {
    for (let i = 0; i < answers.length; i++) {
      answers[i]?.resolve(undefined)
      await turn()
    }
  }

  test('100 are in flight and 1 000 wait; for one more, one of those that wait is 503 with Retry-After at once', async () => {
    const { store, find } = setUp()
    const answers = heldBack(store)
    const found = await fill(find)
    expect(store.asked).toHaveLength(100)
    const newcomer = find('one too many')
    const error = (await Promise.race(found)) as UnavailableError
    expect(error).toMatchObject({ status: 503, headers: { 'Retry-After': '1' } })
    expect(error.cause).toMatchObject({ message: expect.stringContaining('too many') })
    // Who asks for a key that is being looked up takes no place.
    const joined = find('k0')
    answers[0]?.resolve(undefined)
    await turn()
    expect(store.asked).toHaveLength(101)
    await answerAll(answers)
    expect(await Promise.all([newcomer, joined])).toEqual([undefined, undefined])
    expect((await Promise.all(found)).filter((answer) => answer instanceof UnavailableError)).toEqual([error])
    expect(store.asked).toHaveLength(1100)
  })

  test('what was accepted before waits undisturbed behind any number of made-up keys', async () => {
    const { store, lookup, find } = setUp()
    const answers = heldBack(store)
    const flood = await fill(find)
    lookup.noteVerdict('credential', true)
    const known = lookup.find('known', () => 'found', 'credential')
    flood.push(...Array.from({ length: 5000 }, (_, i) => find(`more${i}`).catch((error: UnavailableError) => error)))
    await answerAll(answers)
    expect(await known).toBe('found')
    expect((await Promise.all(flood)).filter((answer) => answer instanceof UnavailableError)).toHaveLength(5001)
  })

  test('where all that wait were accepted before, the newcomer is 503; one that was refused since gives way', async () => {
    const { store, lookup } = setUp()
    const answers = heldBack(store)
    const findAs = (id: string) => lookup.find(id, () => id, id)
    for (let i = 0; i < 1100; i++) lookup.noteVerdict(`k${i}`, true)
    lookup.noteVerdict('k1099', false)
    const found = await fill(findAs)
    const newcomer = findAs('newcomer').catch((error: UnavailableError) => error)
    expect(await found[1099]).toBeInstanceOf(UnavailableError)
    lookup.noteVerdict('second', true)
    // The unknown newcomer gives way to a known one; then nobody is left who might.
    const second = findAs('second')
    expect(await newcomer).toBeInstanceOf(UnavailableError)
    await expect(findAs('third')).rejects.toMatchObject({ cause: { message: expect.stringContaining('too many') } })
    await answerAll(answers)
    expect(await Promise.all([second, ...found.slice(0, 1099)])).toHaveLength(1100)
  })

  test('1 000 requests wait for one key; for one more, one whose credential was never accepted is 503', async () => {
    const { key, store, lookup } = setUp()
    const answers = heldBack(store)
    lookup.noteVerdict('credential', true)
    const known = () => lookup.find(key.id, () => 'known', 'credential')
    const unknown = () => lookup.find(key.id, () => 'unknown', 'made up').catch(() => '503')
    const waiting = [unknown(), unknown(), ...Array.from({ length: 998 }, known)]
    waiting.push(known(), known())
    expect(await Promise.all(waiting.slice(0, 2))).toEqual(['503', '503'])
    await expect(known()).rejects.toBeInstanceOf(UnavailableError)
    expect(await unknown()).toBe('503')
    await turn()
    await answerAll(answers)
    expect(await Promise.all(waiting.slice(2))).toEqual(Array(1000).fill('known'))
    expect(store.asked).toHaveLength(1)
  })

  test('what was accepted before gets the next place, in order; then the newest: nobody has to wait for a flood', async () => {
    const { store, lookup, find } = setUp()
    const answers = heldBack(store)
    lookup.noteVerdict('credential', true)
    const flood = Array.from({ length: 500 }, (_, i) => find(`k${i}`))
    const known = ['first known', 'second known'].map((id) => lookup.find(id, () => id, 'credential'))
    const unseen = find('unseen')
    // Who shows a credential that was accepted before moves the look-up forward that it joins.
    const joined = lookup.find('k300', () => 'joined', 'credential')
    await turn()
    await answerAll(answers)
    expect(await Promise.all([...known, unseen, joined])).toEqual(['first known', 'second known', undefined, 'joined'])
    expect(store.asked.slice(100, 105)).toEqual(['k300', 'first known', 'second known', 'unseen', 'k499'])
    await Promise.all(flood)
  })

  test('what runs into its time limit keeps its place until the store answers: 100 are asked for, however many come', async () => {
    const { store, find } = setUp(50)
    const answers = heldBack(store)
    const outcomes = (name: string) =>
      Promise.all(Array.from({ length: 1100 }, (_, i) => find(`${name}${i}`).catch(({ status }) => status)))
    expect(await outcomes('k')).toEqual(Array(1100).fill(503))
    expect(await outcomes('again')).toEqual(Array(1100).fill(503))
    expect(store.asked).toHaveLength(100)

    // Late answers and late failures alike are the way back.
    store.onFind = undefined
    answers.forEach((answer, i) => void (i % 2 ? answer.resolve(undefined) : answer.reject(new Error('late'))))
    await turn()
    expect(await outcomes('later')).toEqual(Array(1100).fill(undefined))
  })

  test('the time limit of the store begins when it is asked', async () => {
    const { store, find } = setUp(1000)
    const answers = heldBack(store)
    const found = Array.from({ length: 101 }, (_, i) => find(`k${i}`))
    await turn()
    await sleep(600)
    for (const answer of answers) answer.resolve(undefined)
    await turn()
    await sleep(600)
    answers[100]?.resolve(undefined)
    expect(await Promise.all(found)).toEqual(Array(101).fill(undefined))
  })

  /** Whether look-ups that take a while are given the whole time limit, which is 1 000 ms. */
  async function expectHealthy({ store, find }: Pick<ReturnType<typeof setUp>, 'store' | 'find'>) {
    const answers = heldBack(store)
    const slow = [find('slow'), find('slow as well')]
    await sleep(500)
    for (const answer of answers) answer.resolve(undefined)
    expect(await Promise.all(slow)).toEqual([undefined, undefined])
  }

  /** What comes of a look-up that serves "stale" when the store itself fails. */
  function outcomeOf(lookup: KeyLookup, id: string): Promise<unknown> {
    const found = lookup.find<unknown>(
      id,
      () => 'answered',
      undefined,
      () => 'stale',
    )
    return found.catch(({ status, cause }) => `${status} ${cause.message}`)
  }

  test('to wait in vain for a place is 503, and no failure of the store', async () => {
    const { store, lookup, find } = setUp(1000)
    const answers = heldBack(store)
    lookup.noteVerdict('credential', true)
    let asked = 0
    const busy: Promise<void>[] = []
    const keepBusy = () => {
      for (let i = 0; i < 100; i++) busy.push(lookup.find(`busy${asked++}`, () => {}, 'credential'))
    }
    keepBusy()
    await turn()
    let outcome: unknown
    void outcomeOf(lookup, 'late').then((given) => {
      outcome = given
    })
    while (outcome === undefined) {
      keepBusy()
      for (const answer of answers.splice(0)) answer.resolve(undefined)
      await sleep(20)
    }
    for (const answer of answers) answer.resolve(undefined)
    await Promise.all(busy)
    expect(outcome).toBe('503 too many look-ups wait for the key store')
    expect(store.asked).not.toContain('late')
    await expectHealthy({ store, find })
  })

  test('what the store says of one key alone is no failure of the store', async () => {
    const { store, lookup, find } = setUp(1000)
    store.onFind = () => Promise.resolve({ expiresAt: 'soon' })
    expect(await outcomeOf(lookup, 'unreadable')).toMatch(/^503 KeyStore\.find\(\) /)
    await expectHealthy({ store, find })
    store.onFind = async (id) => store.announce({ id })
    expect(await outcomeOf(lookup, 'restless')).toBe('503 the key changes faster than it can be looked up')
    await expectHealthy({ store, find })
  })

  test('who is sent away, or comes after the end, is not told that the store fails', async () => {
    const { store, lookup, find } = setUp()
    const answers = heldBack(store)
    for (let i = 0; i < 1100; i++) void find(`k${i}`).catch(() => {})
    lookup.noteVerdict('credential', true)
    await turn()
    const unknown = Array.from({ length: 1000 }, (_, i) => outcomeOf(lookup, `unknown${i}`))
    const known = Array.from({ length: 1000 }, (_, i) => lookup.find(`known${i}`, () => 'known', 'credential'))
    expect(new Set(await Promise.all(unknown))).toEqual(new Set(['503 too many look-ups wait for the key store']))
    expect(await outcomeOf(lookup, 'last')).toBe('503 too many look-ups wait for the key store')
    const closing = lookup.close()
    expect(await outcomeOf(lookup, 'after the end')).toBe('503 the verifier is closed')
    await answerAll(answers)
    await Promise.all([...known, closing])
  })

  test('a store that rejects, throws or is silent has failed', async () => {
    const { store, lookup } = setUp(50)
    store.onFind = () => Promise.reject(new Error('down'))
    expect(await outcomeOf(lookup, 'rejected')).toBe('stale')
    store.onFind = () => {
      throw new Error('down')
    }
    expect(await outcomeOf(lookup, 'thrown')).toBe('stale')
    heldBack(store)
    expect(await outcomeOf(lookup, 'silent')).toBe('stale')
  })

  test('a store that answers none of the look-ups under way has failed for all others too, until it answers one', async () => {
    const { store, lookup, find } = setUp(5000)
    store.onFind = () => Promise.reject(new Error('down'))
    await expect(find('first')).rejects.toThrow(UnavailableError)
    const answers = heldBack(store)
    const many = (name: string) => Promise.all(Array.from({ length: 100 }, (_, i) => outcomeOf(lookup, name + i)))
    const underWay = many('under way')
    await sleep(100)
    // These wait for a place, those that come later have none to wait for.
    expect(await many('waiting')).toEqual(Array(100).fill('stale'))
    expect(await many('later')).toEqual(Array(100).fill('stale'))
    expect(store.asked).toHaveLength(101)
    answers[0]?.resolve(undefined)
    store.onFind = undefined
    await turn()
    expect(await many('again')).toEqual(Array(100).fill('answered'))
    expect((await underWay).sort()).toEqual(['answered', ...Array(99).fill('stale')])
  })

  test('look-ups that were answered late count in no later outage', async () => {
    const { store, lookup } = setUp(50)
    const answers = heldBack(store)
    const late = await Promise.all(Array.from({ length: 100 }, (_, i) => outcomeOf(lookup, `late${i}`)))
    expect(late).toEqual(Array(100).fill('stale'))
    for (const answer of answers) answer.resolve(undefined)
    await turn()
    store.onFind = () => Promise.reject(new Error('down'))
    expect(await outcomeOf(lookup, 'rejected')).toBe('stale')
    store.onFind = undefined
    expect(await outcomeOf(lookup, 'again')).toBe('answered')
  })

  test('what is given up sooner while the store fails is no failure of a store that has answered meanwhile', async () => {
    const { store, lookup, find } = setUp(1000)
    store.onFind = () => Promise.reject(new Error('down'))
    await expect(find('first')).rejects.toThrow(UnavailableError)
    const answers = heldBack(store)
    const [probe, other] = [find('probe'), outcomeOf(lookup, 'other')]
    await turn()
    answers[0]?.resolve(undefined)
    await probe
    expect(await other).toBe('503 the key store did not answer within 200 ms')
    await expectHealthy({ store, find })
  })

  test('while the store fails one at a time is given the whole limit, and the others are given up sooner', async () => {
    const { store, find } = setUp(1000)
    const answers = heldBack(store)
    await expect(find('first')).rejects.toThrow(UnavailableError)

    const order: string[] = []
    const note = (name: string) => () => void order.push(name)
    const probe = find('probe').catch(note('probe'))
    const others = ['a', 'b'].map((id) => find(id).catch(note(id)))
    await Promise.all([probe, ...others])
    expect(order).toEqual(['a', 'b', 'probe'])

    // The next one finds that it answers again, however slowly, and all have the whole limit as before.
    const slow = find('slow')
    await turn()
    setTimeout(() => answers.at(-1)?.resolve(undefined), 500)
    expect(await slow).toBeUndefined()
    const again = [find('c'), find('d')]
    await turn()
    setTimeout(() => answers.slice(-2).forEach((answer) => void answer.resolve(undefined)), 500)
    expect(await Promise.all(again)).toEqual([undefined, undefined])
  })

  test('an answer that comes too late is not used, nor asked for again', async () => {
    const { key, store, lookup } = setUp(50)
    const answers = heldBack(store)
    let used = 0
    await expect(lookup.find(key.id, () => used++)).rejects.toBeInstanceOf(UnavailableError)
    const second = lookup.find(key.id, (found) => found.key)
    await turn()
    store.announce({ id: key.id })
    answers[0]?.resolve(key.stored)
    await turn()
    expect(used).toBe(0)
    expect(store.asked).toHaveLength(2)
    answers[1]?.resolve(undefined)
    await turn()
    answers[2]?.resolve(undefined)
    expect(await second).toBeUndefined()
  })
})

describe('ready', () => {
  test('asks until the store has answered once, and names what is wrong', async () => {
    const { store, lookup } = setUp()
    store.onFind = () => Promise.reject('only text')
    await expect(lookup.ready()).rejects.toThrow('key store: only text')
    store.onFind = undefined
    await lookup.ready()
    const asked = store.asked.length
    await lookup.ready()
    expect(store.asked).toHaveLength(asked)
  })

  test('asks for an id that no key has', async () => {
    const { store, lookup } = setUp()
    await lookup.ready()
    expect(store.asked).toEqual(['0'.repeat(12)])
  })

  test('is content with what a request was answered', async () => {
    const { store, lookup, find } = setUp()
    await find()
    await lookup.ready()
    expect(store.asked).toHaveLength(1)
  })
})

test('close ends the feed: nothing is heard, nothing is looked up', async () => {
  const { store, changes, lookup, find } = setUp()
  await find()
  let listener: (change: KeyChange) => void = () => {}
  let closed = 0
  store.feed.close = async () => void closed++
  const watch = store.watch
  store.watch = (given) => {
    listener = given
    return watch?.(given) ?? store.feed
  }
  await lookup.close()
  expect(closed).toBe(1)
  listener({ all: true })
  store.announce({ all: true })
  expect(changes).toEqual([])
  expect(lookup.changes.currentEpoch()).toBeUndefined()
  await expect(find()).rejects.toMatchObject({ cause: { message: 'the verifier is closed' } })
})
