/** The command that creates the schema of a store or brings it up to date, for messages. */
export function migrateCommand(storeUrl: string): string {
  return `npx vantage-auth keys migrate --store ${shellWord(storeUrl)}`
}

/** A text as one word of a shell's command line. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}
