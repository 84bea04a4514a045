import type { KeyringDescription } from '../src/keyring/contract.js'
import { type AuditAction, type DayUsage, KEY_STATES } from '../src/store/contract.js'
import type {
  AuditEntryJson,
  AuditJson,
  CreatedKeyJson,
  ErrorJson,
  EventJson,
  KeyJson,
  KeyListJson,
  KeyUsageJson,
  RotatedKeyJson,
  SessionJson,
  TotalUsageJson,
} from './api-types.js'

/** A schema of JSON Schema 2020-12, as OpenAPI 3.1 takes it. */
export type Schema = Readonly<Record<string, unknown>>

export const ref = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` })
export const listOf = (items: Schema): Schema => ({ type: 'array', items })

const string: Schema = { type: 'string' }
const text: Schema = { type: 'string', minLength: 1, maxLength: 256 }
const instant: Schema = { type: 'string', format: 'date-time' }
const day: Schema = { type: 'string', format: 'date' }
const count: Schema = { type: 'integer', minimum: 0 }
export const id: Schema = { type: 'string', pattern: '^[\\x21-\\x7e]{1,64}$' }
export const duration: Schema = { type: 'string', pattern: '^[0-9]{1,12}[smhd]$', examples: ['90d'] }

/** `null` as well: of all types that a schema here has, one. */
function orNull(schema: Schema): Schema {
  return '$ref' in schema ? { anyOf: [schema, { type: 'null' }] } : { ...schema, type: [schema.type, 'null'] }
}

/** An answer. A property that is not in its type, or is missing here, does not compile. */
function answerOf<T>(properties: { readonly [N in keyof T]-?: Schema }, optional: readonly (keyof T)[] = []): Schema {
  const required = Object.keys(properties).filter((name) => !(optional as readonly string[]).includes(name))
  return { type: 'object', required, properties, additionalProperties: false }
}

/** The body of a request. */
function bodyOf(properties: Readonly<Record<string, Schema>>, required: readonly string[] = []): Schema {
  return { type: 'object', ...(required.length > 0 && { required }), properties, additionalProperties: false }
}

const AUDIT_ACTIONS: { readonly [A in AuditAction]: true } = {
  create: true,
  edited: true,
  rotate: true,
  revoke: true,
  revoke_tokens: true,
  change: true,
  restore: true,
  delete: true,
}

const KEY: { readonly [N in keyof KeyJson]-?: Schema } = {
  id,
  hint: { ...string, description: 'The public beginning of the key.' },
  name: orNull(string),
  subject: { ...string, description: 'Whom requests with the key stand for.' },
  tenant: orNull(string),
  environment: ref('Environment'),
  scopes: listOf(string),
  state: ref('KeyState'),
  createdAt: instant,
  createdBy: orNull(string),
  expiresAt: { ...orNull(instant), description: '`null` for a key without an end.' },
  lastUsedAt: {
    ...orNull(instant),
    description: 'Some seconds late: services write what they counted every ten seconds.',
  },
  revokedAt: orNull(instant),
  revokedBy: orNull(string),
  revokedReason: orNull(string),
  replaces: orNull(id),
  replacedBy: orNull(id),
  usage: {
    ...listOf(count),
    description: 'With `usage=N` of the list: uses on each of the last N days (UTC), today last.',
  },
}

const NEW_KEY: Schema = {
  ...string,
  description: 'The key itself. It is sent here, and can never be had again.',
}

/** `components.schemas`. */
export function describeSchemas({ scopes, environments }: KeyringDescription): Readonly<Record<string, Schema>> {
  return {
    Environment: { type: 'string', enum: environments },
    KeyState: { type: 'string', enum: KEY_STATES },
    Session: answerOf<SessionJson>(
      {
        actor: string,
        subject: {
          ...orNull(string),
          description: 'Only keys of this subject are shown; `null` for all of the tenant.',
        },
        tenant: { ...orNull(string), description: '`null` for all tenants.' },
        canWrite: { type: 'boolean' },
        scopes: { ...listOf(string), description: 'What a new key may grant.' },
        environments: { ...listOf(ref('Environment')), description: 'The default comes first.' },
        defaultLife: { ...orNull(duration), description: '`null` for no end.' },
        apiUrl: { type: 'string', format: 'uri' },
        signInUrl: orNull({ type: 'string', format: 'uri-reference' }),
        notAfter: { ...instant, description: 'New keys end then at the latest, whatever `expiresIn` says.' },
      },
      ['notAfter'],
    ),
    Key: answerOf<KeyJson>(KEY, ['usage']),
    KeyList: answerOf<KeyListJson>({ keys: listOf(ref('Key')), cursor: orNull(string) }),
    CreatedKey: answerOf<CreatedKeyJson>({ key: NEW_KEY, record: ref('Key') }),
    RotatedKey: answerOf<RotatedKeyJson>({ key: NEW_KEY, record: ref('Key'), previous: ref('Key') }),
    DayUsage: answerOf<DayUsage>({ day, count }),
    KeyUsage: answerOf<KeyUsageJson>({
      total: { ...count, description: 'All uses ever.' },
      lastUsedAt: orNull(instant),
      days: { ...listOf(ref('DayUsage')), description: 'The days with uses, oldest first.' },
    }),
    TotalUsage: answerOf<TotalUsageJson>({
      total: count,
      days: { ...listOf(ref('DayUsage')), description: 'The days with uses, oldest first.' },
      keys: {
        ...listOf(answerOf<TotalUsageJson['keys'][number]>({ id, count })),
        maxItems: 20,
        description: 'The most used keys, most used first.',
      },
    }),
    AuditEntry: answerOf<AuditEntryJson>({
      seq: { type: 'integer' },
      at: instant,
      action: { type: 'string', enum: Object.keys(AUDIT_ACTIONS) },
      keyId: orNull(string),
      successorId: orNull(string),
      actor: orNull(string),
      reason: orNull(string),
      detail: { ...orNull(string), description: 'A JSON object, as a text.' },
      subject: orNull(string),
      tenant: orNull(string),
    }),
    Audit: answerOf<AuditJson>({ entries: listOf(ref('AuditEntry')), cursor: orNull(string) }),
    Event: answerOf<EventJson>({ id, at: instant, state: ref('KeyState') }),
    Error: answerOf<ErrorJson>({ error: string, error_description: string }),

    CreateKey: bodyOf(
      {
        name: orNull(text),
        scopes: { ...listOf({ type: 'string', enum: scopes }), minItems: 1 },
        expiresIn: {
          type: ['string', 'integer', 'null'],
          pattern: duration.pattern,
          minimum: 1,
          description:
            'Life of the key: a duration, or a number of seconds; `null` for no end. Where the caller has a `notAfter` the key ends then at the latest, and `record.expiresAt` says so.',
        },
        environment: ref('Environment'),
        subject: { ...text, description: 'Where the caller may choose it. Default: the caller.' },
        tenant: { ...orNull(text), description: 'Only where the caller sees all tenants.' },
      },
      ['scopes'],
    ),
    RotateKey: bodyOf({
      overlap: {
        type: ['string', 'integer'],
        pattern: duration.pattern,
        minimum: 0,
        default: '24h',
        description: 'How long the old key is still accepted: a duration, or a number of seconds.',
      },
    }),
    RevokeKey: bodyOf({ reason: orNull(text) }),
  }
}
