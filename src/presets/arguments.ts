import { checkStrings, optionSetting, readOptions, type Setting } from '../config/checks.js'
import { checkIssuer } from '../config/issuer-identifier.js'
import type { IssuerOptions } from '../config/issuer-options.js'
import { ArgumentError } from '../core/argument-error.js'

/** The arguments of a preset, each read once and named as messages name it. */
export type Arguments<Name extends string> = { readonly [N in Name]: Setting }

/**
 * Reads what a preset was called with.
 *
 * @param preset the name of the function
 * @throws {TypeError} for an argument that the preset does not have
 */
export function readArguments<Name extends string>(
  given: unknown,
  preset: string,
  names: readonly Name[],
): Arguments<Name> {
  const values = readOptions(given, names, `argument of ${preset}()`)
  const settings = {} as Record<Name, Setting>
  for (const name of names) settings[name] = optionSetting(values[name], `${name} of ${preset}()`)
  return settings
}

/** One resource as a text, several as a list: as they were given, so that the entry reads like the call. */
export function checkAudience(setting: Setting): string | readonly string[] {
  if (setting.value === undefined) {
    throw new ArgumentError(setting.name, 'is missing; give the resource that this service is, as in the aud claim')
  }
  const list = checkStrings(setting)
  return typeof setting.value === 'string' ? setting.value : list
}

/** @throws {ArgumentError} where the audience names a resource of the provider's own, which tokens for anybody name */
export function refuseAudience(
  setting: Setting,
  isForeign: (audience: string) => boolean,
  fault: string,
): string | readonly string[] {
  const audience = checkAudience(setting)
  if ([audience].flat().some(isForeign)) throw new ArgumentError(setting.name, fault)
  return audience
}

/** What is wrong inside of a grant is said by the verifier, which reads them. */
export function checkGrants({ value, name }: Setting): NonNullable<IssuerOptions['grants']> {
  if (Array.isArray(value) && value.length > 0) return Object.freeze([...value])
  throw new ArgumentError(
    name,
    "must be a list with one entry at least: its tokens have no scopes of their own; it looks like [{ match: { sub: '…' }, scopes: ['jobs:read'] }]",
  )
}

export function checkIssuerUrl({ value, name }: Setting): string {
  if (value === undefined) throw new ArgumentError(name, `is missing; give the issuer's URL, as in the iss claim`)
  return checkIssuer(value, name)
}
