import { expect, test } from 'vitest'
import { enter, type Request } from '../support/portable.js'
import { token } from '../support/requests.js'

const authorization = `Bearer ${token}`
const accepted = { auth: { subject: 'user_123' } }

const lines = (...values: string[]) => values.flatMap((value) => ['AUTHORIZATION', value])

/** As many headers as Node keeps, together with one line. */
const FILLERS = Array.from({ length: 1999 }, () => ['a', '']).flat()

const requests: [string, Request, object][] = [
  ['of headers', { rawHeaders: ['Host', 'x', ...lines(authorization)], headers: { authorization } }, accepted],
  ['of headers, where there are no rawHeaders', { headers: { authorization } }, accepted],
  ['of headers, where rawHeaders are empty', { rawHeaders: [], headers: { authorization } }, accepted],
  ['as a list in headers', { headers: { authorization: [authorization, authorization] as never } }, { status: 400 }],
  [
    'twice in rawHeaders',
    { rawHeaders: ['a', 'b', 'authorization', authorization, ...lines(authorization)], headers: { authorization } },
    { status: 400 },
  ],
  [
    'twice, where Node was told to join them',
    {
      rawHeaders: lines('Basic eDp5', authorization),
      headers: { authorization: `Basic eDp5, ${authorization}` },
    },
    { status: 400 },
  ],
  ['twice, the first empty', { rawHeaders: lines('', authorization), headers: { authorization: '' } }, { status: 400 }],
  [
    'in a value of another header',
    { rawHeaders: ['X-Header', 'Authorization', ...lines(authorization)], headers: { authorization } },
    accepted,
  ],
  ['that the application deleted', { rawHeaders: lines(authorization), headers: {} }, { status: 401 }],
  [
    'that the application deleted, of two',
    { rawHeaders: lines(authorization, 'Bearer x'), headers: {} },
    { status: 401 },
  ],
  ['that the application set', { rawHeaders: ['Host', 'x'], headers: { authorization } }, accepted],
  [
    'that the application put in place of another',
    { rawHeaders: lines('Bearer x'), headers: { authorization } },
    accepted,
  ],
  [
    'that the application put in place of two',
    { rawHeaders: lines('Bearer x', 'Bearer y'), headers: { authorization } },
    accepted,
  ],
  [
    'that the application spoiled',
    { rawHeaders: lines(authorization), headers: { authorization: 'Bearer x' } },
    { status: 401 },
  ],
  ['that the application emptied', { rawHeaders: ['Host', 'x'], headers: { authorization: '' } }, { status: 401 }],
  ['that are empty, where there are no rawHeaders', { headers: { authorization: '' } }, { status: 401 }],
  [
    'that may not be all, since Node keeps no more headers',
    { rawHeaders: [...lines(authorization), ...FILLERS], headers: { authorization } },
    { status: 400 },
  ],
  ['nowhere', { rawHeaders: ['Host', 'x'], headers: {} }, { status: 401 }],
  ['of a request without headers', {}, { status: 401 }],
]

test.each(requests)('reads the Authorization header lines %s', async (_, request, outcome) => {
  expect(await enter(request)).toMatchObject(outcome)
})
