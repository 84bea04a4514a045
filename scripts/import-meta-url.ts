import { pathToFileURL } from 'node:url'

/** What `import.meta.url` becomes in CommonJS. The shim of tsup breaks in folders with `#`, `?` or `%` in their name. */
export const importMetaUrl = pathToFileURL(__filename).href
