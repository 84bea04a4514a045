import { KeyStoreError } from '../../core/errors.js'

/**
 * One step from a version of the schema to the next. A released step never changes: databases have it already. To change
 * a table, add a step. Each step must also be harmless where it was done before, since all of them run again when a table
 * is missing.
 */
export interface Step {
  /** The version that the step leads to. */
  readonly version: number
  /** The tables that it adds. */
  readonly tables: readonly string[]
  readonly statements: readonly string[]
}

/** What is in a database. */
export interface FoundSchema {
  /** 0 without a schema. */
  readonly version: number
  /** Which of the tables of all steps are there. */
  readonly tables: ReadonlySet<string>
  /** Whether tables, functions and triggers of the newest version are all there. */
  readonly complete: boolean
}

/** The schema that a store needs. */
export interface NeededSchema {
  /** What error messages call the store: `key store "./keys.db"`. */
  readonly store: string
  readonly version: number
  /** What a schema consists of, for messages: `tables or triggers`. */
  readonly parts: string
  /** The whole command that brings it up to date. */
  readonly migrateCommand: string
}

/** The schema of a store is not the one that this package works with. */
export class SchemaError extends KeyStoreError {
  readonly found: FoundSchema

  constructor(found: FoundSchema, message: string) {
    super(message)
    this.found = found
  }
}

/** @throws {SchemaError} for a schema that is newer than this package */
export function isCurrent(found: FoundSchema, { store, version, migrateCommand }: NeededSchema): boolean {
  if (found.version > version) {
    throw new SchemaError(
      found,
      `The ${store} has key schema ${found.version}, and this vantage-auth knows ${version}; update vantage-auth to the version with which this was run: ${migrateCommand}`,
    )
  }
  return found.version === version && found.complete
}

/**
 * Checks that the schema is the one that this package knows, with its triggers: without them a hand-written revocation
 * would not travel.
 *
 * @throws {SchemaError} that names the cure
 */
export function checkCurrent(found: FoundSchema, needed: NeededSchema): void {
  if (isCurrent(found, needed)) return
  const fault =
    found.version === needed.version
      ? `lacks ${needed.parts}`
      : found.version === 0
        ? 'has no key schema'
        : 'has an old key schema'
  throw new SchemaError(found, `The ${needed.store} ${fault}; run: ${needed.migrateCommand}`)
}

/** The steps to run: those after the version of the database, or all of them when a table of an earlier step is missing. */
export function stepsToRun(steps: readonly Step[], found: FoundSchema): readonly Step[] {
  const done = steps.filter(({ version }) => version <= found.version)
  const damaged = done.some(({ tables }) => tables.some((table) => !found.tables.has(table)))
  return damaged ? steps : steps.filter((step) => !done.includes(step))
}
