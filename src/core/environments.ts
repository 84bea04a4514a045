/**
 * The deployments that keys belong to. This is the only list: the key format, the options, the command line and the
 * checks of stored keys follow it. A new entry also needs a migration step in both database stores, whose tables
 * constrain the column.
 *
 * A name is part of each key (`vak_live_…`), so it consists of lower-case letters.
 */
export const ENVIRONMENTS = ['live', 'test'] as const

/** The deployment that a key belongs to. A service refuses the keys of another one before it asks its store. */
export type Environment = (typeof ENVIRONMENTS)[number]

export const DEFAULT_ENVIRONMENT: Environment = 'live'

export function isEnvironment(value: unknown): value is Environment {
  return (ENVIRONMENTS as readonly unknown[]).includes(value)
}
