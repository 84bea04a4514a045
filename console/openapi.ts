import { MAX_BODY_BYTES } from '../src/http/body.js'
import type { KeyringDescription } from '../src/keyring/contract.js'
import { SORTS } from '../src/keyring/sort.js'
import { KEY_STATES } from '../src/store/contract.js'
import { KEY_EVENTS, REQUEST_HEADER } from './api-types.js'
import { describeSchemas, duration, id, ref, type Schema } from './openapi-schemas.js'

/** Status of each refusal, and when it is given. */
const REFUSALS = {
  Unauthenticated: [401, 'Nobody is signed in.'],
  Forbidden: [403, 'The request does not come from the page, or the caller may not do this.'],
  UnsupportedMediaType: [415, 'The body is not `application/json`.'],
  TooLarge: [413, `The body has more than ${MAX_BODY_BYTES} bytes.`],
  NotFound: [404, 'There is no such key, or none that the caller may see.'],
  InvalidRequest: [400, 'A member, or a name of the query, is unknown or wrong.'],
  InvalidState: [
    409,
    `The key is revoked, expired or replaced; \`Vantage-Console-Caller\` names somebody else; or a request with the same \`${REQUEST_HEADER}\` was received before.`,
  ],
  Unavailable: [
    503,
    'The key store is out of reach, or too many streams are open; `Retry-After` says when to ask again. After a 503 to a POST no key is made or rotated later: one was only if the answer of the store itself was lost. A revocation may still take place.',
  ],
  ServerError: [500, 'A mistake of the application, which its log names.'],
} as const

type Refusal = keyof typeof REFUSALS

const ALWAYS: readonly Refusal[] = [
  'Unauthenticated',
  'Forbidden',
  'InvalidState',
  'InvalidRequest',
  'Unavailable',
  'ServerError',
]
const WITH_BODY: readonly Refusal[] = ['UnsupportedMediaType', 'TooLarge']

const jsonContent = (schema: Schema) => ({ 'application/json': { schema } })

/** What an operation answers: with success, and with the refusals that can meet it besides those that meet all. */
function answers(status: number, description: string, content: object, others: readonly Refusal[] = []): object {
  const refusals = [...ALWAYS, ...others].map((name) => [REFUSALS[name][0], { $ref: `#/components/responses/${name}` }])
  return { [status]: { description, content }, ...Object.fromEntries(refusals) }
}

function describeRefusals(): object {
  return Object.fromEntries(
    Object.entries(REFUSALS).map(([name, [status, description]]) => [
      name,
      {
        description,
        headers: {
          ...(status === 401 && { 'WWW-Authenticate': { schema: { type: 'string' } } }),
          ...(status === 503 && { 'Retry-After': { schema: { type: 'integer' } } }),
        },
        content: jsonContent(ref('Error')),
      },
    ]),
  )
}

const query = (name: string, schema: Schema, description: string) => ({ name, in: 'query', schema, description })

const whole = (maximum: number, preset: number): Schema => ({ type: 'integer', minimum: 1, maximum, default: preset })
const text: Schema = { type: 'string', minLength: 1, maxLength: 256 }
const flag: Schema = { type: 'boolean' }

const CURSOR = query('cursor', { type: 'string' }, 'Where the page before ended.')
const LIMIT = query('limit', whole(1000, 100), 'Length of a page.')
const DAYS = query('days', whole(366, 30), 'The last so many days (UTC), today included.')

const LIST_QUERY = [
  query('search', text, 'Part of the name, the hint or the subject, in any case.'),
  query('subject', text, 'Keys of this subject.'),
  query('tenant', text, 'Keys of this tenant.'),
  query('state', { type: 'string', enum: KEY_STATES }, 'Keys in this state.'),
  query('unusedFor', duration, 'Keys that are older, and were not used since.'),
  query('expiringWithin', duration, 'Keys that are accepted now, and not beyond that time.'),
  query('olderThan', duration, 'Keys that were made longer ago.'),
  query('supersededInUse', flag, '`true` for keys that were replaced, are still accepted, and were used since.'),
  query('sort', { type: 'string', enum: SORTS, default: '-created' }, '`-` in front is descending.'),
  query('usage', { type: 'integer', minimum: 1, maximum: 366 }, 'Adds uses on each of the last so many days.'),
  CURSOR,
  LIMIT,
]

const KEY_PARAMETER = { name: 'id', in: 'path', required: true, schema: id, description: 'The id of a key.' }

const REQUEST_PARAMETER = {
  name: REQUEST_HEADER,
  in: 'header',
  schema: { type: 'string', pattern: '^[A-Za-z0-9_-]{16,64}$' },
  description: 'A random id: of requests with the same one, only the first is done.',
}

const body = (name: string, required: boolean) => ({ required, content: jsonContent(ref(name)) })

const EVENTS = `Server-sent events: ${KEY_EVENTS.map((name) => `\`${name}\``).join(', ')}, whose \`data\` is an Event; \`reload\`, after which everything is to be asked for anew; and \`session-expired\`, the last one.`

const PATHS = {
  '/': {
    get: {
      operationId: 'getPage',
      summary: 'The page',
      responses: {
        ...answers(200, 'The page.', { 'text/html': { schema: { type: 'string' } } }),
        303: {
          description: 'Nobody is signed in: where to do so.',
          headers: { Location: { schema: { type: 'string' } } },
        },
      },
    },
  },
  '/api/session': {
    get: {
      operationId: 'getSession',
      summary: 'Who is asking, and what they may do',
      responses: answers(200, 'The caller.', jsonContent(ref('Session'))),
    },
  },
  '/api/keys': {
    get: {
      operationId: 'listKeys',
      summary: 'The keys that the caller may see',
      parameters: LIST_QUERY,
      responses: answers(200, 'A page of keys.', jsonContent(ref('KeyList'))),
    },
    post: {
      operationId: 'createKey',
      summary: 'Makes a key',
      parameters: [REQUEST_PARAMETER],
      requestBody: body('CreateKey', true),
      responses: answers(201, 'The key, and its record.', jsonContent(ref('CreatedKey')), WITH_BODY),
    },
  },
  '/api/keys/{id}': {
    parameters: [KEY_PARAMETER],
    get: {
      operationId: 'getKey',
      summary: 'One key',
      responses: answers(200, 'The record of the key.', jsonContent(ref('Key')), ['NotFound']),
    },
  },
  '/api/keys/{id}/rotate': {
    parameters: [KEY_PARAMETER],
    post: {
      operationId: 'rotateKey',
      summary: 'Replaces a key; the old one is accepted for a while',
      parameters: [REQUEST_PARAMETER],
      requestBody: body('RotateKey', false),
      responses: answers(
        201,
        'The new key, its record, and the old one as it is now.',
        jsonContent(ref('RotatedKey')),
        [...WITH_BODY, 'NotFound'],
      ),
    },
  },
  '/api/keys/{id}/revoke': {
    parameters: [KEY_PARAMETER],
    post: {
      operationId: 'revokeKey',
      summary: 'Ends a key for good',
      parameters: [REQUEST_PARAMETER],
      requestBody: body('RevokeKey', false),
      responses: answers(200, 'The record of the key.', jsonContent(ref('Key')), [...WITH_BODY, 'NotFound']),
    },
  },
  '/api/keys/{id}/usage': {
    parameters: [KEY_PARAMETER],
    get: {
      operationId: 'getKeyUsage',
      summary: 'How often a key was used',
      parameters: [DAYS],
      responses: answers(200, 'Its uses by day.', jsonContent(ref('KeyUsage')), ['NotFound']),
    },
  },
  '/api/usage': {
    get: {
      operationId: 'getUsage',
      summary: 'How often the keys that the caller may see were used',
      parameters: [DAYS],
      responses: answers(200, 'Their uses by day.', jsonContent(ref('TotalUsage'))),
    },
  },
  '/api/audit': {
    get: {
      operationId: 'getAudit',
      summary: 'What was done to the keys that the caller may see, newest first',
      parameters: [query('id', id, 'Only about this key.'), CURSOR, LIMIT],
      responses: answers(200, 'A page of entries.', jsonContent(ref('Audit')), ['NotFound']),
    },
  },
  '/api/events': {
    get: {
      operationId: 'getEvents',
      summary: 'What happens to the keys that the caller may see, as it happens',
      parameters: [
        {
          name: 'Last-Event-ID',
          in: 'header',
          schema: { type: 'string' },
          description: 'Where the stream before ended. What was missed is sent, or a `reload`.',
        },
      ],
      responses: answers(200, EVENTS, { 'text/event-stream': { schema: { type: 'string' } } }),
    },
  },
  '/api/openapi.json': {
    get: {
      operationId: 'getOpenApi',
      summary: 'This description',
      responses: answers(200, 'An OpenAPI document.', jsonContent({ type: 'object' })),
    },
  },
}

const CALLER_PARAMETER = {
  name: 'Vantage-Console-Caller',
  in: 'header',
  schema: { type: 'string' },
  description:
    'Whom the page takes itself to be: the JSON array of `actor`, `tenant` and `subject` as in Session, percent-encoded. Where the caller is another one, the answer is a 409 and nothing is done.',
}

/** All of the API takes the header; a navigation to the page never has it. */
function describePaths(): object {
  return Object.fromEntries(
    Object.entries(PATHS).map(([path, item]) => {
      if (path === '/') return [path, item]
      const own = 'parameters' in item ? item.parameters : []
      return [path, { ...item, parameters: [...own, { $ref: '#/components/parameters/Caller' }] }]
    }),
  )
}

const ABOUT = `Administers the API keys of the application that serves it, which also says who may see and change what: by its session, or by a bearer credential of the Vantage API. What changes something is \`application/json\`, and comes from the page's own origin unless it comes with such a credential. Any other method is a 405, whose \`Allow\` names those that there are. An answer to HEAD is that to GET, without its body.`

/** The description of the API of one console, in OpenAPI 3.1. */
export function describeApi(made: KeyringDescription): object {
  return {
    openapi: '3.1.0',
    info: { title: 'API keys', version: '1', description: ABOUT },
    // From the address of this document, `api/openapi.json` below the mount.
    servers: [{ url: '..' }],
    paths: describePaths(),
    components: {
      schemas: describeSchemas(made),
      responses: describeRefusals(),
      parameters: { Caller: CALLER_PARAMETER },
    },
  }
}
