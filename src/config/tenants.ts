import { ArgumentError } from '../core/argument-error.js'
import { isRecord, type Setting } from './checks.js'

/** Stands for the tenant in an entry that is for several. */
const TENANT_PLACEHOLDER = '{tenantid}'

/** What of an entry has the tenant in it: its URLs, and claims that have to name the same tenant. */
interface TenantOptions {
  readonly issuer?: unknown
  readonly jwksUri?: unknown
  readonly required?: unknown
  readonly tenants?: unknown
}

/** An entry for one issuer. */
interface Expanded<Given> {
  readonly given: Given
  /** The one of `tenants` whose issuer it is. */
  readonly tenant: string | undefined
}

/**
 * The entries that an entry with `tenants` stands for: one for each, with the tenant in the place of `{tenantid}`. An entry
 * without `tenants` stands for itself.
 *
 * @throws {ArgumentError} for what is no list of tenants, and where there is no place for them
 */
export function expandTenants<Given extends TenantOptions>(given: Given, at: string): readonly Expanded<Given>[] {
  if (given.tenants === undefined) {
    const stray = (['issuer', 'jwksUri', 'required'] as const).find((name) => hasPlaceholder(given[name]))
    if (stray === undefined) return [{ given, tenant: undefined }]
    throw new ArgumentError(
      `${at}.tenants`,
      `is missing: ${stray} has ${TENANT_PLACEHOLDER}, and the accepted tenants go into it`,
    )
  }
  if (!hasPlaceholder(given.issuer)) {
    throw new ArgumentError(
      `${at}.issuer`,
      `must have ${TENANT_PLACEHOLDER} where the entry has tenants, which go into it`,
    )
  }
  return checkTenants(given.tenants, `${at}.tenants`).map((tenant) => ({
    tenant,
    given: {
      ...given,
      issuer: withTenant(given.issuer, tenant),
      jwksUri: withTenant(given.jwksUri, tenant),
      required: withTenant(given.required, tenant),
    },
  }))
}

/** @throws {ArgumentError} for a shared option that has a place for tenants, which entries alone have */
export function refusePlaceholder({ value, name }: Setting): void {
  if (!hasPlaceholder(value)) return
  throw new ArgumentError(
    name,
    `has ${TENANT_PLACEHOLDER}, which is for entries: put it beside the accepted tenants, issuer: [{ issuer, tenants }]`,
  )
}

/** In texts, and in the texts that a list or an object holds. */
function hasPlaceholder(value: unknown): boolean {
  if (typeof value === 'string') return value.includes(TENANT_PLACEHOLDER)
  return (Array.isArray(value) || isRecord(value)) && Object.values(value).some(hasPlaceholder)
}

/** A tenant stays within its part of the path: it could make of one issuer another. */
function checkTenants(value: unknown, name: string): readonly string[] {
  const tenants: unknown[] = Array.isArray(value) ? [...value] : []
  if (tenants.length === 0 || !tenants.every(isTenant)) {
    throw new ArgumentError(
      name,
      'must be a list of tenants with one entry at least: texts without white space and / ? # % @ \\ { }, and not . or ..',
    )
  }
  if (new Set(tenants).size < tenants.length) throw new ArgumentError(name, 'names one tenant twice')
  return tenants
}

function isTenant(value: unknown): value is string {
  return typeof value === 'string' && /^[^/?#%@\\{}\s\p{C}]+$/u.test(value) && value !== '.' && value !== '..'
}

/** In texts, and in the texts that a list or an object holds. */
function withTenant(value: unknown, tenant: string): unknown {
  if (typeof value === 'string') return value.replaceAll(TENANT_PLACEHOLDER, () => tenant)
  if (Array.isArray(value)) return value.map((entry) => withTenant(entry, tenant))
  if (!isRecord(value)) return value
  return Object.fromEntries(Object.entries(value).map(([name, entry]) => [name, withTenant(entry, tenant)]))
}
