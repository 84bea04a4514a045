import type { ComponentChildren, JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import type { KeyJson, SessionJson } from '../../api-types.js'
import { api, serverNow } from '../api.js'
import { useEvery, useKeyEvents } from '../live.js'
import { useLoad } from '../load.js'
import { UsageChart } from '../parts/bars.js'
import { Handover } from '../parts/handover.js'
import { Instant } from '../parts/instant.js'
import { KeyFrame } from '../parts/key-frame.js'
import { nameOf } from '../parts/key-name.js'
import { Problem } from '../parts/problem.js'
import { type Range, RangeChoice } from '../parts/range.js'
import { fillDays } from '../parts/series.js'
import { State } from '../parts/state.js'
import { Tenant } from '../parts/tenant.js'
import { Trail } from '../parts/trail.js'
import { go } from '../router.js'
import { formatRoute } from '../routes.js'
import { texts } from '../texts.js'
import type { ViewProps } from '../view.js'

const t = texts.key

/** A use is no event, but for the first one. */
const REFRESH_MS = 15_000

/** One key: its facts, its uses, and what was done to it. */
export function Key({ session, id }: ViewProps & { readonly id: string }): JSX.Element {
  const loaded = useLoad((signal) => api.key(id, signal), [id])
  useKeyEvents(({ keys, everything }) => {
    if (everything || keys.has(id)) loaded.reload()
  })
  useEvery(REFRESH_MS, loaded.reload)
  const key = loaded.value
  return (
    <KeyFrame
      loaded={loaded}
      title={key === undefined ? t.title : nameOf(key)}
      heading={key && <bdi>{nameOf(key)}</bdi>}
      actions={key && <Actions keyRecord={key} session={session} />}
    >
      {key !== undefined && (
        <>
          <StateChange state={key.state} />
          <Facts keyRecord={key} session={session} />
          {key.state === 'superseded' && key.replacedBy !== null && (
            <Handover oldId={id} newId={key.replacedBy} canRevoke={session?.canWrite === true} />
          )}
          <UsageOfKey keyRecord={key} />
          <section class="card" aria-labelledby="trail">
            <h2 id="trail">{t.trail}</h2>
            <Trail id={id} limit={20} tenants={false} />
          </section>
        </>
      )}
    </KeyFrame>
  )
}

interface KeyProps {
  readonly keyRecord: KeyJson
}

/** Buttons for what can still be done. */
function Actions({ keyRecord: { id, state }, session }: KeyProps & ViewProps): JSX.Element | null {
  if (session?.canWrite !== true || state === 'revoked') return null
  return (
    <div class="actions">
      {state === 'active' && (
        <button type="button" onClick={() => go({ view: 'rotate', id })}>
          {t.rotate}
        </button>
      )}
      <button type="button" class="danger" onClick={() => go({ view: 'revoke', id })}>
        {t.revoke}
      </button>
    </div>
  )
}

/** Tells when the state changes while somebody looks. */
function StateChange({ state }: { readonly state: KeyJson['state'] }): JSX.Element {
  const first = useRef(state)
  const [changed, setChanged] = useState(false)
  useEffect(() => {
    if (state !== first.current) setChanged(true)
  }, [state])
  return <div role="status">{changed && <p class="notice">{t.changed(texts.state[state])}</p>}</div>
}

function Facts({ keyRecord: key, session }: KeyProps & { readonly session: SessionJson | undefined }): JSX.Element {
  return (
    <section class="card" aria-labelledby="facts">
      <h2 id="facts" class="visually-hidden">
        {t.facts}
      </h2>
      <dl class="facts">
        <Fact name={t.state}>
          <State state={key.state} />
        </Fact>
        <Fact name={t.hint}>
          <code>{key.hint}</code>
        </Fact>
        <Fact name={t.owner}>
          <bdi>{key.subject}</bdi>
        </Fact>
        {session?.tenant === null && (
          <Fact name={t.tenant}>
            <Tenant name={key.tenant} />
          </Fact>
        )}
        <Fact name={t.environment}>{texts.generate.environments[key.environment]}</Fact>
        <Fact name={t.created}>
          <Instant at={key.createdAt} none="" as="date-time" />
          <By who={key.createdBy} />
        </Fact>
        <Fact name={key.state === 'expired' ? t.expired : t.expires}>
          <Instant at={key.expiresAt} none={texts.date.never} as="date-time" />
        </Fact>
        <Fact name={t.lastUsed}>
          <Instant at={key.lastUsedAt} none={texts.date.never} as="relative" />
        </Fact>
        {key.revokedAt !== null && (
          <Fact name={t.revoked}>
            <Instant at={key.revokedAt} none="" as="date-time" />
            <By who={key.revokedBy} />
            {key.revokedReason !== null && (
              <p class="quoted">
                <bdi>{key.revokedReason}</bdi>
              </p>
            )}
          </Fact>
        )}
        {key.replaces !== null && (
          <Fact name={t.replaces}>
            <OtherKey id={key.replaces} />
          </Fact>
        )}
        {key.replacedBy !== null && (
          <Fact name={t.replacedBy}>
            <OtherKey id={key.replacedBy} />
          </Fact>
        )}
        <Fact name={t.scopes} wide>
          <ul class="chips">
            {key.scopes.map((scope) => (
              <li key={scope}>
                <code>{scope}</code>
              </li>
            ))}
          </ul>
        </Fact>
      </dl>
    </section>
  )
}

function Fact(props: {
  readonly name: string
  readonly wide?: boolean
  readonly children: ComponentChildren
}): JSX.Element {
  return (
    <div class={props.wide ? 'wide' : undefined}>
      <dt>{props.name}</dt>
      <dd>{props.children}</dd>
    </div>
  )
}

function By({ who }: { readonly who: string | null }): JSX.Element | null {
  if (who === null) return null
  return (
    <span class="quiet">
      {' '}
      {t.by} <bdi>{who}</bdi>
    </span>
  )
}

function OtherKey({ id }: { readonly id: string }): JSX.Element {
  return (
    <a href={formatRoute({ view: 'key', id })}>
      <code>{id}</code>
    </a>
  )
}

function UsageOfKey({ keyRecord: { id, lastUsedAt } }: KeyProps): JSX.Element {
  const [range, setRange] = useState<Range>(30)
  // A new last use means new numbers.
  const { value, error, reload } = useLoad((signal) => api.keyUsage(id, range, signal), [id, range, lastUsedAt])
  const days = fillDays(value?.days ?? [], range, serverNow())
  return (
    <section class="card" aria-labelledby="usage">
      <div class="head">
        <h2 id="usage">{t.usage}</h2>
        <RangeChoice value={range} onChange={setRange} />
      </div>
      <Problem error={error} retry={reload} />
      <p class="figures">
        <strong>{texts.bars.count(days.reduce((sum, { count }) => sum + count, 0))}</strong> {t.inRange(range)}
        <span class="quiet">{value !== undefined && t.inAll(value.total)}</span>
      </p>
      <UsageChart days={days} title={t.usageByDay} />
    </section>
  )
}
