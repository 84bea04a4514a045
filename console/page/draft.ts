/**
 * What was entered for a new key, kept while somebody signs in again in this tab. It has no secret: keys that were pasted
 * into a field never got this far.
 */
export interface Draft {
  readonly name: string
  readonly owner: string
  readonly tenant: string
  readonly scopes: readonly string[]
  readonly life: string | null
  readonly environment: string
}

const PLACE = 'vantage-auth.console.draft'

let current: { readonly actor: string; readonly draft: Draft } | undefined

/** The view tells what is in its fields, and `undefined` when it goes. */
export function noteDraft(actor: string, draft: Draft | undefined): void {
  current = draft === undefined ? undefined : { actor, draft }
}

/** Writes the draft where the next page of this tab finds it. */
export function storeDraft(): void {
  if (current === undefined) return
  try {
    sessionStorage.setItem(PLACE, JSON.stringify(current))
  } catch {
    // A browser without storage: the fields have to be filled in again.
  }
}

/** Takes the draft back, once, and only for the person who wrote it. */
export function takeDraft(actor: string): Draft | undefined {
  const text = stored()
  if (text === null) return undefined
  sessionStorage.removeItem(PLACE)
  try {
    const found = JSON.parse(text) as { readonly actor: string; readonly draft: Draft }
    return found.actor === actor ? found.draft : undefined
  } catch {
    return undefined
  }
}

function stored(): string | null {
  try {
    return sessionStorage.getItem(PLACE)
  } catch {
    return null
  }
}
