import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import type { CreatedKeyJson } from '../../api-types.js'
import { serverNow } from '../api.js'
import { isNear } from '../dates.js'
import { texts } from '../texts.js'
import { CopyButton } from './copy.js'
import { Heading } from './heading.js'
import { Instant } from './instant.js'
import { useLeaveQuestion } from './leave-question.js'

const t = texts.once

/**
 * Shows a new key, this once. The key is in the memory of this view and of the one that gave it, and nowhere else: not in
 * storage, not in the address, not in the history.
 */
export function Once(props: {
  readonly created: CreatedKeyJson
  /** The API that the command calls. */
  readonly apiUrl: string
  /** The giver forgets the key: it is stored, or the page is left. */
  readonly onForget: () => void
  /** After that, when it is stored. */
  readonly onDone: () => void
}): JSX.Element {
  const { created, apiUrl, onForget, onDone } = props
  const { key, record } = created
  const [stored, setStored] = useState(false)
  const [status, setStatus] = useState('')
  const keyField = useRef<HTMLTextAreaElement>(null)
  const commandText = useRef<HTMLElement>(null)
  const envText = useRef<HTMLElement>(null)
  const command = `curl -H "Authorization: Bearer ${key}" ${apiUrl}/v1/auth/test`
  const envLine = `VANTAGE_API_KEY=${key}`

  const question = useLeaveQuestion(!stored, t.leave, t.leaveDetail)
  useEffect(() => {
    // A page that the browser keeps for its Back button would show the key again.
    addEventListener('pagehide', onForget)
    return () => removeEventListener('pagehide', onForget)
  }, [onForget])

  function finish(): void {
    onForget()
    onDone()
  }

  return (
    <>
      <Heading title={t.title} />
      <div class="once card notranslate" translate={false}>
        <div class="notice warn">
          <p>
            <strong>{t.warning}</strong> {t.warningDetail}
          </p>
        </div>
        <div class="field">
          <label for="new-key">{t.key}</label>
          <div class="with-button">
            <textarea
              id="new-key"
              class="mono"
              ref={keyField}
              readOnly
              rows={2}
              spellcheck={false}
              autocomplete="off"
              value={key}
              onFocus={(event) => event.currentTarget.select()}
            />
            <CopyButton label={t.copyKey} text={key} what="key" source={keyField} onResult={setStatus} />
          </div>
          <p class="hint">
            {record.name !== null && (
              <>
                <bdi>{record.name}</bdi> ·{' '}
              </>
            )}
            {record.scopes.join(', ')} ·{' '}
            {record.expiresAt === null ? (
              t.noEnd
            ) : (
              <>
                {t.expires}{' '}
                <Instant
                  at={record.expiresAt}
                  none=""
                  as={isNear(record.expiresAt, serverNow()) ? 'date-time' : 'date'}
                />
              </>
            )}
          </p>
        </div>
        <div class="field">
          <h2>{t.command}</h2>
          <div class="with-button">
            <code class="block" ref={commandText}>
              {command}
            </code>
            <CopyButton label={t.copyCommand} text={command} what="command" source={commandText} onResult={setStatus} />
          </div>
        </div>
        <div class="field">
          <h2>{t.env}</h2>
          <div class="with-button">
            <code class="block" ref={envText}>
              {envLine}
            </code>
            <CopyButton label={t.copyEnv} text={envLine} what="env" source={envText} onResult={setStatus} />
          </div>
        </div>
        <p role="status" class="status">
          {status}
        </p>
        <div class="actions apart">
          <label class="check">
            <input type="checkbox" checked={stored} onChange={(event) => setStored(event.currentTarget.checked)} />
            {t.stored}
          </label>
          <span class="actions">
            <span id="done-hint" class="hint">
              {!stored && t.storeFirst}
            </span>
            <button type="button" class="primary" disabled={!stored} aria-describedby="done-hint" onClick={finish}>
              {t.done}
            </button>
          </span>
        </div>
      </div>
      {question}
    </>
  )
}
