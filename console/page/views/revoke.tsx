import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { KeyJson, SessionJson } from '../../api-types.js'
import { ApiError, api } from '../api.js'
import { confirms, LAST_CHARACTERS } from '../confirmation.js'
import { withoutSecrets } from '../key-text.js'
import { useKeyEvents } from '../live.js'
import { useLoad } from '../load.js'
import { Instant } from '../parts/instant.js'
import { KeyFrame } from '../parts/key-frame.js'
import { nameOf } from '../parts/key-name.js'
import { Problem } from '../parts/problem.js'
import { Tenant } from '../parts/tenant.js'
import { TextField } from '../parts/text-field.js'
import { formatRoute } from '../routes.js'
import { texts } from '../texts.js'
import type { ViewProps } from '../view.js'

const t = texts.revoke

/** Ends a key for good, after its name was typed. */
export function Revoke({ session, id }: ViewProps & { readonly id: string }): JSX.Element {
  const loaded = useLoad((signal) => api.key(id, signal), [id])
  useKeyEvents(({ keys, everything }) => {
    if (everything || keys.has(id)) loaded.reload()
  })
  const key = loaded.value
  return (
    <KeyFrame loaded={loaded} title={t.title} byKey>
      {key !== undefined && session !== undefined && <Body record={key} session={session} onRefused={loaded.reload} />}
    </KeyFrame>
  )
}

interface BodyProps {
  readonly record: KeyJson
  readonly session: SessionJson
  /** The key may have changed since it was read. */
  readonly onRefused: () => void
}

function Body(props: BodyProps): JSX.Element {
  const { record, session } = props
  if (record.state === 'revoked') return <Done id={record.id} />
  return session.canWrite ? <Form {...props} /> : <p class="notice">{texts.shell.readOnly}</p>
}

function Done({ id }: { readonly id: string }): JSX.Element {
  return (
    <p class="notice">
      {t.already} <a href={formatRoute({ view: 'key', id })}>{t.show}</a>
    </p>
  )
}

function Form({ record, session, onRefused }: BodyProps): JSX.Element {
  const [typed, setTyped] = useState('')
  const [reason, setReason] = useState('')
  const [secretRemoved, setSecretRemoved] = useState(false)
  const [sending, setSending] = useState(false)
  const [error, setError] = useState<ApiError>()
  const { id } = record
  const name = nameOf(record)
  const confirmed = confirms(typed, record)

  /** A reason stays in the audit trail for good: a key that was pasted into it goes no further. */
  function changeReason(given: string): void {
    const { text, removed } = withoutSecrets(given)
    setSecretRemoved(removed)
    setReason(removed ? '' : text)
  }

  async function revoke(event: Event): Promise<void> {
    event.preventDefault()
    if (sending || !confirmed) return
    setSending(true)
    setError(undefined)
    try {
      await api.revoke(id, reason.trim() === '' ? {} : { reason: reason.trim() })
      // In the place of the form: it can do no more, and Back shall not lead to it.
      location.replace(formatRoute({ view: 'key', id }))
    } catch (caught) {
      if (!(caught instanceof ApiError)) throw caught
      setError(caught)
      setSending(false)
      if (caught.trouble === 'refused') onRefused()
    }
  }

  return (
    <form class="card form" onSubmit={revoke}>
      <p>
        <bdi class="quoted">{name}</bdi> {name !== record.hint && <code class="quiet">{record.hint}</code>}
        {session.tenant === null && (
          <span class="quiet">
            {' · '}
            {texts.audit.tenant} <Tenant name={record.tenant} />
          </span>
        )}
      </p>
      <ul class="consequences">
        <li>{t.refused}</li>
        <li>
          {record.lastUsedAt === null ? (
            t.neverUsed
          ) : (
            <>
              {t.lastUsed} <Instant at={record.lastUsedAt} none="" as="relative" />
              {'.'}
            </>
          )}
        </li>
        <li>{t.final}</li>
        {record.state === 'active' && (
          <li>
            {t.rotateInstead} <a href={formatRoute({ view: 'rotate', id })}>{t.rotateLink}</a>
          </li>
        )}
      </ul>
      <div class="field">
        <label for="confirm">{t.confirm}</label>
        <input
          id="confirm"
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
          aria-describedby="confirm-hint"
          value={typed}
          onInput={(event) => setTyped(event.currentTarget.value)}
        />
        <p id="confirm-hint" class="hint">
          {name === record.name && (
            <>
              <bdi class="quoted">{name}</bdi> {t.or}{' '}
            </>
          )}
          <code>{id.slice(-LAST_CHARACTERS)}</code>
          {t.lastFour}
        </p>
      </div>
      <TextField
        label={t.reason}
        hint={t.reasonHint}
        error={secretRemoved ? texts.generate.secretRemoved : undefined}
        value={reason}
        onInput={changeReason}
      />
      <Problem error={error} />
      <div class="actions">
        <button type="submit" class="primary danger" disabled={sending || !confirmed} aria-describedby="revoke-hint">
          {t.submit}
        </button>
        <a class="button" href={formatRoute({ view: 'key', id })}>
          {t.cancel}
        </a>
        <span id="revoke-hint" class="hint">
          {!confirmed && (typed.trim() === '' ? t.typeFirst : t.otherName)}
        </span>
      </div>
    </form>
  )
}
