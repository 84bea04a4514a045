import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { ApiError, api } from '../api.js'
import { useLoad } from '../load.js'
import { useLookout } from '../lookout.js'
import { possiblyMade } from '../lost-answer.js'
import { Instant } from '../parts/instant.js'
import { nameOf } from '../parts/key-name.js'
import { Problem } from '../parts/problem.js'
import { texts } from '../texts.js'

const t = texts.lost

/**
 * After a request for a new key got no answer: whether there is a key now is unknown, and nobody has seen it. Shows what the
 * request may have made, and offers to revoke it.
 */
export function LostAnswer(props: {
  readonly name: string | null
  /** By the clock of the server. */
  readonly sentAt: number
  /** How long to look for it, by the clock of the browser. */
  readonly lookUntil: number
}): JSX.Element {
  const { name, sentAt, lookUntil } = props
  const [hasRevoked, setHasRevoked] = useState(false)
  const [error, setError] = useState<ApiError>()
  const found = useLoad(
    async (signal) => {
      const { keys } = await api.keys({ sort: '-created', limit: 100, search: name ?? undefined }, signal)
      return possiblyMade(keys, name, sentAt)
    },
    [name, sentAt],
  )
  const looking = useLookout(lookUntil, found.reload) && !hasRevoked
  const count = found.value?.length

  async function revoke(id: string): Promise<void> {
    setError(undefined)
    try {
      await api.revoke(id, { reason: t.reason })
      setHasRevoked(true)
      found.reload()
    } catch (cause) {
      if (!(cause instanceof ApiError)) throw cause
      setError(cause)
    }
  }

  return (
    <section class="notice warn stack" aria-labelledby="lost">
      <div role="alert">
        <h2 id="lost">{t.title}</h2>
        <p>{t.detail}</p>
      </div>
      <Problem error={found.error} retry={found.reload} />
      <Problem error={error} />
      <p role="status">
        {count === undefined ? t.looking : count > 0 ? t.found(count) : looking || found.loading ? t.noneYet : t.none}
      </p>
      {found.value !== undefined && found.value.length > 0 && (
        <ul class="plain-list">
          {found.value.map((key) => (
            <li key={key.id} class="actions">
              <bdi>{nameOf(key)}</bdi>
              <span class="quiet">
                <code>{key.hint}</code>, {t.made} <Instant at={key.createdAt} none="" as="date-time" />
              </span>
              <button type="button" class="danger" onClick={() => revoke(key.id)}>
                {t.revoke} <span class="visually-hidden">{key.hint}</span>
              </button>
            </li>
          ))}
        </ul>
      )}
    </section>
  )
}
