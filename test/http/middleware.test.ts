import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { expect, test } from 'vitest'
import { type Actions, endingOf, follow, handOverLateErrors, refuse } from '../../src/http/middleware.js'
import { actions } from '../support/portable.js'

const mount = {
  realm: 'vantage',
  timeoutMs: 3000,
  exposeAs: 'auth',
  forwardErrors: false,
  isAlternative: false,
  time: { now: Date.now, clockToleranceSeconds: 0 },
  reauthenticate: () => Promise.reject(new Error('not asked here')),
}
const thrown = new Error('out of paper')
const failingNext: Actions<unknown> = {
  ...actions,
  next() {
    throw thrown
  },
}

const answer = { status: 200, headers: {}, body: '{}' }

test('does what the verdict says, at once', () => {
  expect(follow(endingOf('pass', mount, {}), actions)).toBe('passed')
  expect(follow(endingOf(answer, mount, {}), actions)).toBe(answer)
})

test('does later what is said later', async () => {
  expect(await follow(endingOf(Promise.resolve('pass'), mount, {}), actions)).toBe('passed')
  expect(await follow(endingOf(Promise.resolve(answer), mount, {}), actions)).toBe(answer)
})

test('takes no error of what comes next for one of the check', async () => {
  expect(() => follow('pass', failingNext)).toThrow(thrown)
  await expect(follow(endingOf(Promise.resolve('pass'), mount, {}), failingNext)).rejects.toBe(thrown)
})

test.each([[undefined], [null], [''], ['route'], [0]])(
  'gives the framework an error where %j was thrown, which Express takes for permission to go on',
  async (value) => {
    const mistake = { status: 500, cause: value }
    expect(follow(refuse(value, mount, {}), actions)).toMatchObject(mistake)
    expect(await follow(endingOf(Promise.reject(value), mount, {}), actions)).toMatchObject(mistake)
    expect(
      await new Promise((fail) => {
        handOverLateErrors(Promise.reject(value), fail, {})
      }),
    ).toMatchObject(mistake)
  },
)

test('hands over what is thrown after the middleware has returned, and nothing else', async () => {
  const failures: unknown[] = []
  handOverLateErrors(undefined, (error) => failures.push(error), {})
  handOverLateErrors(Promise.resolve(), (error) => failures.push(error), {})
  handOverLateErrors(Promise.reject(thrown), (error) => failures.push(error), {})
  await new Promise(setImmediate)
  expect(failures).toEqual([thrown])
})

test('closes the connection where the framework cannot take the error either', async () => {
  const errors: unknown[] = []
  const server = createServer((_request, response) => {
    const fail = () => {
      throw thrown
    }
    handOverLateErrors(Promise.reject(new Error('first')), fail, response)
  }).on('clientError', (error) => errors.push(error))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  socket.resume().write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await once(socket, 'close')
  server.close()
  await once(server, 'close')
  expect(errors).toEqual([thrown])
})
