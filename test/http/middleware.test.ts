import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { expect, test } from 'vitest'
import { type Actions, handOverLateErrors, runCheck, type Verdict } from '../../src/http/middleware.js'
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

test('does what the verdict says, at once', () => {
  const answer = { status: 200, headers: {}, body: '{}' }
  expect(runCheck(() => 'pass', mount, {}, actions)).toBe('passed')
  expect(runCheck(() => answer, mount, {}, actions)).toBe(answer)
})

test('takes no error of what comes next for one of the check', async () => {
  expect(() => runCheck(() => 'pass', mount, {}, failingNext)).toThrow(thrown)
  await expect(runCheck(async (): Promise<Verdict> => 'pass', mount, {}, failingNext)).rejects.toBe(thrown)
})

test.each([[undefined], [null], [''], ['route'], [0]])(
  'gives the framework an error where %j was thrown, which Express takes for permission to go on',
  async (value) => {
    const mistake = { status: 500, cause: value }
    const check = () => {
      throw value
    }
    expect(runCheck(check, mount, {}, actions)).toMatchObject(mistake)
    expect(await runCheck(() => Promise.reject(value), mount, {}, actions)).toMatchObject(mistake)
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
