import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { KeyJson, RotatedKeyJson, SessionJson } from '../../api-types.js'
import { ApiError, api } from '../api.js'
import { useKeyEvents } from '../live.js'
import { useLoad } from '../load.js'
import { LOOKOUT_MS, useLookout } from '../lookout.js'
import { Handover } from '../parts/handover.js'
import { KeyFrame } from '../parts/key-frame.js'
import { nameOf } from '../parts/key-name.js'
import { useLeaveQuestion } from '../parts/leave-question.js'
import { Once } from '../parts/once.js'
import { Problem } from '../parts/problem.js'
import { formatRoute } from '../routes.js'
import { texts } from '../texts.js'
import type { ViewProps } from '../view.js'

const t = texts.rotate

/** How long the old key goes on, as the API takes it. The first one is none at all. */
const OVERLAPS = ['0s', '1h', '24h', '7d', '30d'] as const

/** Replaces a key: the form, the new key once, and then which of the two is used. */
export function Rotate({ session, id }: ViewProps & { readonly id: string }): JSX.Element {
  const loaded = useLoad((signal) => api.key(id, signal), [id])
  const { value: key, reload } = loaded
  const [rotated, setRotated] = useState<RotatedKeyJson>()
  const [sending, setSending] = useState(false)
  const [lookUntil, setLookUntil] = useState<number>()
  // A key that is made while nobody is there to see it is lost.
  const question = useLeaveQuestion(sending, texts.leave.sending, texts.leave.sendingDetail)
  useKeyEvents(({ keys, everything }) => {
    // The form stays until its own answer is there, which the event of the same rotation may overtake.
    if (!sending && (everything || keys.has(id))) reload()
  })
  const looking = useLookout(lookUntil, () => sending || reload())

  if (rotated !== undefined && session !== undefined) {
    const forget = (): void => setRotated(undefined)
    return <Once created={rotated} apiUrl={session.apiUrl} onForget={forget} onDone={reload} />
  }
  return (
    <KeyFrame loaded={loaded} title={t.title} byKey>
      {key !== undefined && session !== undefined && (
        <>
          {lookUntil !== undefined && <LostAnswer record={key} looking={looking || loaded.loading} />}
          <Body
            record={key}
            session={session}
            sending={sending}
            onSending={setSending}
            onRotated={(answer) => {
              setLookUntil(undefined)
              setRotated(answer)
            }}
            onRefused={reload}
            onLost={() => {
              setLookUntil(Date.now() + LOOKOUT_MS)
              reload()
            }}
          />
        </>
      )}
      {question}
    </KeyFrame>
  )
}

interface BodyProps {
  readonly record: KeyJson
  readonly session: SessionJson
  /** Whether a request is under way. It belongs to the view, which must not be left meanwhile. */
  readonly sending: boolean
  readonly onSending: (sending: boolean) => void
  readonly onRotated: (answer: RotatedKeyJson) => void
  readonly onLost: () => void
  /** The key may have changed since it was read. */
  readonly onRefused: () => void
}

function Body(props: BodyProps): JSX.Element {
  const { record, session } = props
  if (record.replacedBy !== null) {
    return <Handover oldId={record.id} newId={record.replacedBy} canRevoke={session.canWrite} />
  }
  if (record.state !== 'active') return <p class="notice">{t.ended(texts.state[record.state])}</p>
  if (!session.canWrite && !props.sending) return <p class="notice">{texts.shell.readOnly}</p>
  return <Form {...props} />
}

/** The request has left, and no answer came: the new key may exist, and then nobody has seen it. */
function LostAnswer(props: { readonly record: KeyJson; readonly looking: boolean }): JSX.Element {
  const { record, looking } = props
  return (
    <div role="alert" class="notice bad">
      <p>
        <strong>{t.lost}</strong>{' '}
        {record.replacedBy !== null ? t.lostReplaced : looking ? t.lostLooking : t.lostNothing}
      </p>
      {record.replacedBy !== null && (
        <a class="button" href={formatRoute({ view: 'revoke', id: record.replacedBy })}>
          {t.revokeUnseen}
        </a>
      )}
    </div>
  )
}

function Form({ record, sending, onSending, onRotated, onLost, onRefused }: BodyProps): JSX.Element {
  const [overlap, setOverlap] = useState<(typeof OVERLAPS)[number]>('24h')
  const [error, setError] = useState<ApiError>()

  async function rotate(event: Event): Promise<void> {
    event.preventDefault()
    if (sending) return
    onSending(true)
    setError(undefined)
    try {
      onRotated(await api.rotate(record.id, { overlap }))
    } catch (caught) {
      if (!(caught instanceof ApiError)) throw caught
      if (caught.mayHaveHappened) onLost()
      else setError(caught)
      if (caught.trouble === 'refused') onRefused()
    } finally {
      onSending(false)
    }
  }

  return (
    <form class="card form" onSubmit={rotate}>
      <p>
        <bdi class="quoted">{nameOf(record)}</bdi>{' '}
        {nameOf(record) !== record.hint && <code class="quiet">{record.hint}</code>}
      </p>
      <p>{t.what}</p>
      <div class="field">
        <label for="overlap">{t.overlap}</label>
        <select
          id="overlap"
          aria-describedby="overlap-hint"
          value={overlap}
          onChange={(event) => setOverlap(event.currentTarget.value as typeof overlap)}
        >
          {OVERLAPS.map((value) => (
            <option key={value} value={value}>
              {t.overlaps[value]}
            </option>
          ))}
        </select>
        <p id="overlap-hint" class={overlap === '0s' ? 'warning' : 'hint'}>
          {overlap === '0s' ? t.atOnce : t.overlapHint}
        </p>
      </div>
      <Problem error={error} />
      <div class="actions">
        <button type="submit" class="primary" disabled={sending}>
          {t.submit}
        </button>
        <a class="button" href={formatRoute({ view: 'key', id: record.id })}>
          {t.cancel}
        </a>
      </div>
    </form>
  )
}
