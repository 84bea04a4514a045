import { expect, test } from 'vitest'
import { enter, type Request } from '../support/portable.js'
import { token } from '../support/requests.js'

const authorization = `Bearer ${token}`
const accepted = { auth: { subject: 'user_123' } }

const requests: [string, Request, object][] = [
  ['of rawHeaders', { rawHeaders: ['Host', 'x', 'Authorization', authorization] }, accepted],
  [
    'of rawHeaders, whatever headers say',
    { rawHeaders: ['authorization', authorization], headers: { authorization: 'Basic eDp5' } },
    accepted,
  ],
  ['of headers, where there are no rawHeaders', { headers: { authorization } }, accepted],
  ['of headers, where rawHeaders are empty', { rawHeaders: [], headers: { authorization } }, accepted],
  ['as a list in headers', { headers: { authorization: [authorization, authorization] as never } }, { status: 400 }],
  [
    'twice in rawHeaders',
    { rawHeaders: ['a', 'b', 'Authorization', authorization, 'AUTHORIZATION', authorization] },
    { status: 400 },
  ],
  [
    'in a value of another header',
    { rawHeaders: ['X-Header', 'Authorization', 'Authorization', authorization] },
    accepted,
  ],
  ['nowhere', { rawHeaders: ['Host', 'x'], headers: {} }, { status: 401 }],
  ['of a request without headers', {}, { status: 401 }],
]

test.each(requests)('reads the Authorization header lines %s', async (_, request, outcome) => {
  expect(await enter(request)).toMatchObject(outcome)
})
