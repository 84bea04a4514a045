/** Of the id: what a person types where a name is absent, or cannot be typed. */
export const LAST_CHARACTERS = 4

/** Whether a person has typed what a key is called, or the end of its id: they mean this key and no other. */
export function confirms(typed: string, key: { readonly id: string; readonly name: string | null }): boolean {
  const text = typed.normalize().trim()
  if (text === '') return false
  return text === key.name?.normalize().trim() || text === key.id.slice(-LAST_CHARACTERS)
}
