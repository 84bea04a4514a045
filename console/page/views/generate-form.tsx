import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import type { CreatedKeyJson, SessionJson } from '../../api-types.js'
import { ApiError, api, type NewKey, serverNow } from '../api.js'
import { formatDateTime } from '../dates.js'
import { type Draft, noteDraft, takeDraft } from '../draft.js'
import { withoutSecrets } from '../key-text.js'
import { isLong, lifeChoices } from '../life.js'
import { LOOKOUT_MS } from '../lookout.js'
import { Problem } from '../parts/problem.js'
import { TextField } from '../parts/text-field.js'
import { go } from '../router.js'
import { texts } from '../texts.js'
import { LostAnswer } from './lost-answer.js'
import { ScopeChoice } from './scope-choice.js'

const t = texts.generate
const NO_END = 'never'

/** The fields with free text, and what the API calls them. */
const TEXT_MEMBERS = { name: 'name', owner: 'subject', tenant: 'tenant' } as const
type TextName = keyof typeof TEXT_MEMBERS

/** A request whose answer never came. */
interface Lost {
  readonly name: string | null
  /** When it was first sent under that name, by the clock of the server. */
  readonly sentAt: number
  readonly lookUntil: number
}

export function GenerateForm(props: {
  readonly session: SessionJson
  /** Whether a request is under way. It belongs to the view, which must not be left meanwhile. */
  readonly sending: boolean
  readonly onSending: (sending: boolean) => void
  readonly onCreated: (created: CreatedKeyJson) => void
}): JSX.Element {
  const { session, sending, onSending, onCreated } = props
  const [fields, setFields] = useState<Draft>(() => firstDraft(session))
  const [secretIn, setSecretIn] = useState<TextName>()
  const [checked, setChecked] = useState(false)
  const [error, setError] = useState<ApiError>()
  const [lost, setLost] = useState<Lost>()
  const form = useRef<HTMLFormElement>(null)

  useEffect(() => noteDraft(session.actor, fields), [session.actor, fields])
  useEffect(() => () => noteDraft(session.actor, undefined), [session.actor])

  function change(changed: Partial<Draft>): void {
    setFields((old) => ({ ...old, ...changed }))
  }

  /** A key that was pasted into a field stays out of the field, of requests and of storage. */
  function changeText(name: TextName, typed: string): void {
    setError(undefined)
    const { text, removed } = withoutSecrets(typed)
    setSecretIn(removed ? name : undefined)
    change({ [name]: removed ? '' : text })
  }

  async function submit(event: Event): Promise<void> {
    event.preventDefault()
    if (sending) return
    setChecked(true)
    if (fields.scopes.length === 0) {
      form.current?.querySelector<HTMLInputElement>('input[type=checkbox]')?.focus()
      return
    }
    onSending(true)
    setError(undefined)
    const sentAt = serverNow()
    try {
      onCreated(await api.create(toNewKey(fields)))
    } catch (cause) {
      if (!(cause instanceof ApiError)) throw cause
      setError(cause)
      if (!cause.mayHaveHappened) return
      const name = fields.name.trim() || null
      const lookUntil = Date.now() + LOOKOUT_MS
      // Who tries again before the first key was found still has to hear of it.
      setLost((old) => ({ name, sentAt: old?.name === name ? old.sentAt : sentAt, lookUntil }))
    } finally {
      onSending(false)
    }
  }

  const choices = choicesOf(session)
  const scopesError = checked && fields.scopes.length === 0 ? t.scopesMissing : undefined
  const refused = error === undefined ? undefined : refusedField(error)
  const textError = (name: TextName): string | undefined => {
    if (secretIn === name) return t.secretRemoved
    return refused === name ? error?.message : undefined
  }

  return (
    <form class="form card" ref={form} onSubmit={submit} noValidate autocomplete="off">
      <TextField
        label={t.name}
        hint={t.nameHint}
        error={textError('name')}
        value={fields.name}
        onInput={(text) => changeText('name', text)}
      />
      <ScopeChoice
        scopes={session.scopes}
        chosen={fields.scopes}
        error={scopesError}
        onChange={(scopes) => change({ scopes })}
      />
      <div class="two-fields">
        <div class="field">
          <label for="expires">{t.expires}</label>
          <select
            id="expires"
            aria-describedby="expires-warning"
            value={fields.life ?? NO_END}
            onChange={({ currentTarget: { value } }) => change({ life: value === NO_END ? null : value })}
          >
            {choices.map((life) => (
              <option key={life} value={life ?? NO_END}>
                {life !== null
                  ? t.life(life)
                  : session.notAfter === undefined
                    ? t.noEnd
                    : t.latest(formatDateTime(session.notAfter))}
              </option>
            ))}
          </select>
          <p id="expires-warning" role="status" class="warning">
            {isLong(fields.life) &&
              session.notAfter === undefined &&
              (fields.life === null ? t.noEndWarning : t.longWarning)}
          </p>
        </div>
        <div class="field">
          <label for="environment">{t.environment}</label>
          <select
            id="environment"
            value={fields.environment}
            onChange={({ currentTarget: { value } }) => change({ environment: value })}
          >
            {session.environments.map((environment) => (
              <option key={environment} value={environment}>
                {t.environments[environment]}
              </option>
            ))}
          </select>
        </div>
      </div>
      {session.subject === null && (
        <TextField
          label={t.owner}
          hint={t.ownerHint(<bdi>{session.actor}</bdi>)}
          error={textError('owner')}
          value={fields.owner}
          onInput={(text) => changeText('owner', text)}
        />
      )}
      {session.tenant === null && (
        <TextField
          label={t.tenant}
          hint={t.tenantHint}
          error={textError('tenant')}
          value={fields.tenant}
          onInput={(text) => changeText('tenant', text)}
        />
      )}
      {refused === undefined && error?.mayHaveHappened !== true && <Problem error={error} />}
      {lost !== undefined && <LostAnswer {...lost} />}
      <div class="actions">
        <button type="submit" class="primary" aria-disabled={sending}>
          {t.submit}
        </button>
        <button type="button" class="plain" onClick={() => go({ view: 'list' })}>
          {t.cancel}
        </button>
        <span role="status" class="quiet">
          {sending && t.sending}
        </span>
      </div>
    </form>
  )
}

function choicesOf({ defaultLife, notAfter }: SessionJson): ReturnType<typeof lifeChoices> {
  return lifeChoices(defaultLife, notAfter === undefined ? undefined : Date.parse(notAfter) - serverNow())
}

/** The field that the server's sentence is about: it begins with the name of the member. */
function refusedField({ trouble, message }: ApiError): TextName | undefined {
  if (trouble !== 'refused') return undefined
  return (Object.keys(TEXT_MEMBERS) as TextName[]).find((name) => message.startsWith(`${TEXT_MEMBERS[name]} `))
}

/** What was entered before somebody signed in again, as far as it may still be granted; else nothing. */
function firstDraft(session: SessionJson): Draft {
  const { actor, scopes, defaultLife, environments } = session
  const draft = takeDraft(actor)
  if (draft !== undefined) return { ...draft, scopes: scopes.filter((scope) => draft.scopes.includes(scope)) }
  return {
    name: '',
    owner: '',
    tenant: '',
    scopes: [],
    life: choicesOf(session).includes(defaultLife ?? '365d') ? (defaultLife ?? '365d') : null,
    environment: environments[0] ?? 'live',
  }
}

/** Fields that were left empty are not sent: the server knows what stands for them. */
function toNewKey({ name, owner, tenant, scopes, life, environment }: Draft): NewKey {
  return {
    ...(name.trim() !== '' && { name: name.trim() }),
    scopes,
    expiresIn: life,
    environment,
    ...(owner.trim() !== '' && { subject: owner.trim() }),
    ...(tenant.trim() !== '' && { tenant: tenant.trim() }),
  }
}
