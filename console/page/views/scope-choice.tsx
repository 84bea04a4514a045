import type { JSX } from 'preact'
import { texts } from '../texts.js'

const t = texts.generate
const meanings: Readonly<Record<string, string>> = t.scopeMeanings

/** What the key may do: a group of checkboxes for each resource. */
export function ScopeChoice(props: {
  readonly scopes: readonly string[]
  readonly chosen: readonly string[]
  readonly error: string | undefined
  readonly onChange: (chosen: readonly string[]) => void
}): JSX.Element {
  const { scopes, chosen, error, onChange } = props

  function toggle(scope: string, on: boolean): void {
    // In the order of the vocabulary, however they were clicked.
    onChange(scopes.filter((other) => (other === scope ? on : chosen.includes(other))))
  }

  return (
    <fieldset class="field" aria-describedby="scopes-note">
      <legend>{t.scopes}</legend>
      <p
        id="scopes-note"
        role={error === undefined ? undefined : 'alert'}
        class={error === undefined ? 'hint' : 'error'}
      >
        {error ?? t.scopesHint}
      </p>
      <div class="resources">
        {byResource(scopes).map(([resource, ofResource]) => (
          <fieldset key={resource} class="resource">
            <legend>{resource}</legend>
            {ofResource.map((scope) => (
              <div key={scope} class="scope">
                <label class="check">
                  <input
                    type="checkbox"
                    checked={chosen.includes(scope)}
                    aria-invalid={error !== undefined}
                    aria-describedby={`scope ${scope}`.replaceAll(/[^\w-]/g, '-')}
                    onChange={(event) => toggle(scope, event.currentTarget.checked)}
                  />
                  <code>{scope}</code>
                </label>
                <span id={`scope ${scope}`.replaceAll(/[^\w-]/g, '-')} class="hint">
                  {meanings[scope]}
                </span>
              </div>
            ))}
          </fieldset>
        ))}
      </div>
    </fieldset>
  )
}

/** `jobs:read` is of the resource `jobs`; a scope without a colon is one by itself. */
function byResource(scopes: readonly string[]): readonly (readonly [string, readonly string[]])[] {
  const groups = new Map<string, string[]>()
  for (const scope of scopes) {
    const [resource = scope] = scope.split(':', 1)
    const group = groups.get(resource)
    if (group === undefined) groups.set(resource, [scope])
    else group.push(scope)
  }
  return [...groups]
}
