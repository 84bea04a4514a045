import type { JSX } from 'preact'
import type { KeyJson } from '../../api-types.js'
import { api } from '../api.js'
import { verdictOf } from '../handover.js'
import { useEvery, useKeyEvents } from '../live.js'
import { useLoad } from '../load.js'
import { formatRoute } from '../routes.js'
import { texts } from '../texts.js'
import { Instant } from './instant.js'
import { Problem } from './problem.js'
import { State } from './state.js'

const t = texts.handover

/** Services write the uses that they count every ten seconds; more often there is nothing new. */
const REFRESH_MS = 10_000

/** Which of the two keys of a rotation is used, as it happens. */
export function Handover(props: {
  readonly oldId: string
  readonly newId: string
  readonly canRevoke: boolean
}): JSX.Element {
  const { oldId, newId, canRevoke } = props
  const { value, error, reload } = useLoad(
    async (signal) => {
      const [old, successor] = await Promise.all([keyWithUses(oldId, signal), keyWithUses(newId, signal)])
      return { old, successor, verdict: verdictOf(old.record, successor.record) }
    },
    [oldId, newId],
  )
  useKeyEvents(({ keys, everything }) => {
    if (everything || keys.has(oldId) || keys.has(newId)) reload()
  })
  useEvery(REFRESH_MS, reload)
  const verdict = value?.verdict

  return (
    <section class="card" aria-labelledby="handover">
      <h2 id="handover">{t.title}</h2>
      <Problem error={error} retry={reload} />
      <div
        role="status"
        class={verdict === 'old-used' ? 'notice warn' : verdict === 'moved' ? 'notice good' : 'notice'}
      >
        <p>{verdict === undefined ? t.loading : t.verdict[verdict]}</p>
      </div>
      {value !== undefined && (
        <>
          <div class="pair">
            <OneOfTwo title={t.old} {...value.old} flagged={verdict === 'old-used'} />
            <OneOfTwo title={t.successor} {...value.successor} flagged={false} />
          </div>
          {canRevoke && verdict === 'moved' && (
            <p class="actions">
              <a class="button" href={formatRoute({ view: 'revoke', id: oldId })}>
                {t.revokeOld}
              </a>
            </p>
          )}
        </>
      )}
    </section>
  )
}

interface KeyWithUses {
  readonly record: KeyJson
  readonly today: number
}

async function keyWithUses(id: string, signal: AbortSignal): Promise<KeyWithUses> {
  const [record, usage] = await Promise.all([api.key(id, signal), api.keyUsage(id, 1, signal)])
  return { record, today: usage.days.reduce((sum, { count }) => sum + count, 0) }
}

function OneOfTwo(props: KeyWithUses & { readonly title: string; readonly flagged: boolean }): JSX.Element {
  const { title, record, today, flagged } = props
  return (
    <section class={flagged ? 'flagged' : undefined} aria-label={title}>
      <h3>
        {title}{' '}
        <a href={formatRoute({ view: 'key', id: record.id })}>
          <code>{record.hint}</code>
        </a>
      </h3>
      <dl class="facts">
        <div>
          <dt>{t.state}</dt>
          <dd>
            <State state={record.state} />
            {record.state === 'superseded' && record.expiresAt !== null && (
              <span class="small quiet">
                {' '}
                {t.until} <Instant at={record.expiresAt} none="" as="date-time" />
              </span>
            )}
          </dd>
        </div>
        <div>
          <dt>{t.lastUse}</dt>
          <dd>
            <Instant at={record.lastUsedAt} none={t.never} as="relative" />
            {flagged && <strong class="flag">{t.stillUsed}</strong>}
          </dd>
        </div>
        <div>
          <dt>{t.today}</dt>
          <dd class="number">{texts.bars.count(today)}</dd>
        </div>
      </dl>
    </section>
  )
}
