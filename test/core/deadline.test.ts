import { execFile } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { answerWithin } from '../../src/core/deadline.js'
import { createDeferred } from '../support/stored-keys.js'

const LONG = 60_000

describe('answerWithin', () => {
  test.each([
    ['a value', () => 7],
    ['a promise', () => Promise.resolve(7)],
    // biome-ignore lint/suspicious/noThenProperty: what some drivers answer
    ['another thenable', () => ({ then: (use: (value: number) => void) => use(7) }) as PromiseLike<number>],
  ])('resolves to the answer: %s', async (_, answer) => {
    expect(await answerWithin(LONG, 'the store', answer())).toBe(7)
  })

  test('rejects with what the answer rejects with', async () => {
    const failure = new Error('down')
    await expect(answerWithin(LONG, 'the store', Promise.reject(failure))).rejects.toBe(failure)
  })

  test('rejects with what a thenable throws', async () => {
    const failure = new Error('no promise')
    const broken = {
      // biome-ignore lint/suspicious/noThenProperty: an answer of an application may be anything
      get then(): never {
        throw failure
      },
    }
    await expect(answerWithin(LONG, 'the store', broken)).rejects.toBe(failure)
  })

  test('rejects, naming who is silent, when the time is over', async () => {
    await expect(answerWithin(5, 'the store', createDeferred().promise)).rejects.toThrow(
      'the store did not answer within 5 ms',
    )
  })

  test('drops what comes too late, a failure too', async () => {
    const unhandled: unknown[] = []
    const note = (error: unknown) => void unhandled.push(error)
    process.on('unhandledRejection', note)
    try {
      const late = createDeferred()
      const error = await answerWithin(5, 'the store', late.promise).catch((reason: unknown) => reason)
      late.reject(new Error('late'))
      await sleep(5)
      expect(error).toMatchObject({ message: 'the store did not answer within 5 ms' })
      expect(unhandled).toEqual([])
    } finally {
      process.removeListener('unhandledRejection', note)
    }
  })

  test.each([
    [true, 'the store did not answer within 20 ms\n'],
    [false, ''],
  ])('keeps the process alive until then where it is asked to: %j', async (keepsAlive, printed) => {
    const module = new URL('../../src/core/deadline.ts', import.meta.url).href
    const script = `import(${JSON.stringify(module)}).then(({ answerWithin }) =>
      answerWithin(20, 'the store', new Promise(() => {}), { keepsAlive: ${keepsAlive} })
        .catch(({ message }) => console.log(message)))`
    const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', '-e', script])
    expect(stdout).toBe(printed)
  })
})
