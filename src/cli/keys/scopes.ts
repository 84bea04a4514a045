/** The scopes of `--scopes`. Whether they are known, the keyring checks. */
export function splitScopes(list: string): string[] {
  return list.split(/[ ,]+/).filter((scope) => scope !== '')
}
