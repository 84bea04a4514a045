import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { KeyJson } from '../../api-types.js'
import { api, serverNow } from '../api.js'
import { useKeysById } from '../keys-by-id.js'
import { useEvery, useKeyEvents } from '../live.js'
import { useLoad } from '../load.js'
import { UsageChart } from '../parts/bars.js'
import { Heading } from '../parts/heading.js'
import { Instant } from '../parts/instant.js'
import { KeyLink } from '../parts/key-name.js'
import { Problem } from '../parts/problem.js'
import { type Range, RangeChoice } from '../parts/range.js'
import { fillDays } from '../parts/series.js'
import { texts } from '../texts.js'

const t = texts.usage

/** Uses are written every ten seconds, and few look at this view for long. */
const REFRESH_MS = 30_000

/** How much all keys are used, and which of them most. */
export function Usage(): JSX.Element {
  const [range, setRange] = useState<Range>(30)
  const { value, error, reload } = useLoad((signal) => api.usage(range, signal), [range])
  useKeyEvents(({ keys, everything }) => {
    if (everything || [...keys.values()].includes('first-use')) reload()
  })
  useEvery(REFRESH_MS, reload)
  const top = value?.keys ?? []
  const records = useKeysById(top.map(({ id }) => id))
  const most = Math.max(...top.map(({ count }) => count), 1)

  return (
    <>
      <div class="head">
        <Heading title={t.title} />
        <RangeChoice value={range} onChange={setRange} />
      </div>
      <Problem error={error} retry={reload} />
      <section class="card" aria-labelledby="all">
        <h2 id="all">{t.all}</h2>
        <p class="figures">
          <strong>{value === undefined ? '…' : texts.bars.count(value.total)}</strong> {texts.key.inRange(range)}
        </p>
        <UsageChart days={fillDays(value?.days ?? [], range, serverNow())} title={t.byDay} />
      </section>
      <section class="card" aria-labelledby="top">
        <h2 id="top">{t.top}</h2>
        {value?.keys.length === 0 && <p class="quiet">{t.none}</p>}
        <ol class="ranking">
          {top.map(({ id, count }) => (
            <Rank key={id} id={id} count={count} share={count / most} record={records.get(id)} />
          ))}
        </ol>
      </section>
    </>
  )
}

function Rank(props: {
  readonly id: string
  readonly count: number
  /** Of the uses of the most used key. */
  readonly share: number
  readonly record: KeyJson | undefined
}): JSX.Element {
  const { id, count, share, record } = props
  return (
    <li>
      <KeyLink id={id} record={record} />
      <span class="quiet small">
        {record !== undefined && (
          <>
            <bdi class="key-name">{record.subject}</bdi> · {t.lastUsed}{' '}
            <Instant at={record.lastUsedAt} none={texts.date.never} as="relative" />
          </>
        )}
      </span>
      <span class="number">{texts.bars.uses(count)}</span>
      <svg viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">
        <rect class="ground" width="100" height="4" />
        <rect width={share * 100} height="4" />
      </svg>
    </li>
  )
}
