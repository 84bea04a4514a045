import { checkFlag, checkStrings, optionSetting, readOptions } from '../src/config/checks.js'
import { checkTokenIssuer } from '../src/config/issuer-identifier.js'
import { type Auth, credentialOf } from '../src/core/auth.js'
import {
  type AnyAuthError,
  InsufficientScopeError,
  InvalidTokenError,
  isAuthError,
  MissingCredentialsError,
} from '../src/core/errors.js'
import { publishRefusal } from '../src/core/telemetry.js'
import { tellOnError } from '../src/http/hooks.js'
import { notMounted } from '../src/http/mount-error.js'
import { findOutage, findOutcome, type Outcome } from '../src/http/outcome.js'
import { refuseUncalled } from '../src/http/uncalled.js'
import { checkText } from '../src/keyring/arguments.js'
import { ALL_TENANTS, type AuthorizeConsole, type ConsoleAction, type ConsoleCaller } from './contract.js'
import { markByScope, noteRefusal } from './preset.js'

/** See {@link authorizeByScope}. */
export interface AuthorizeByScopeOptions {
  /**
   * Whose access tokens are accepted; a good token of another issuer is answered 401. A key records its subject and tenant
   * and not the issuer that named them: of the issuers named here, and of those that any other console over the same
   * keyring accepts, the same `sub` must be the same person, and the same tenant the same organisation.
   */
  issuer: string | readonly string[]
  /**
   * `true` shows the keys of all subjects of the caller's tenant, and makes keys for them; a caller without a tenant is
   * answered 403. Default: `false`, only the keys of the caller's own subject.
   */
  tenantWide?: boolean | undefined
  /**
   * `true` lets API keys create and rotate keys: one that leaked can then make its successors. Default: `false`, they
   * are answered 403.
   */
  keysMayCreate?: boolean | undefined
}

const OPTIONS: { readonly [N in keyof AuthorizeByScopeOptions]-?: true } = {
  issuer: true,
  tenantWide: true,
  keysMayCreate: true,
}

const READ = 'keys:read'
const WRITE = 'keys:write'

/** What each action takes. Neither scope implies the other. */
const REQUIRED: { readonly [A in ConsoleAction]: typeof READ | typeof WRITE } = {
  page: READ,
  list: READ,
  usage: READ,
  audit: READ,
  events: READ,
  create: WRITE,
  rotate: WRITE,
  revoke: WRITE,
}

/**
 * An `authorize` for programs: who asks is the credential that `vantageAuth()` accepted, an access token of one of the named
 * issuers or an API key. It needs the scope `keys:read` to look and `keys:write` to change, neither of which is among the
 * eight of the Vantage API: the issuer grants them, and API keys may have them where `VANTAGE_SCOPES` names them.
 *
 * The caller sees the keys of its own subject, in its own tenant; one without a tenant sees them in all, and makes keys
 * without one. New keys get only scopes that the caller has, and end when its credential does.
 * It does not check that the API keys come from the store whose keys the console shows.
 *
 * Refusals are the documented answers of this package. Mount `vantageAuth()` before the console; without it each request is
 * a 500.
 *
 * @throws {TypeError} for a wrong option, naming it
 */
export function authorizeByScope(...given: [options: AuthorizeByScopeOptions]): AuthorizeConsole<object> {
  const [options, ...others] = given
  refuseUncalled('authorizeByScope', others, 'authorize: authorizeByScope({ issuer })')
  const values = readOptions(options, Object.keys(OPTIONS), 'option of authorizeByScope()')
  const issuers = checkStrings(optionSetting(values.issuer, 'issuer')).map((issuer) =>
    checkTokenIssuer(issuer, 'issuer'),
  )
  const flag = (name: string) => values[name] !== undefined && checkFlag(optionSetting(values[name], name))
  const tenantWide = flag('tenantWide')
  const keysMayCreate = flag('keysMayCreate')

  /** The refusal of a request, if it is refused. */
  function judge(auth: Auth, action: ConsoleAction, realm: string): AnyAuthError | undefined {
    const credential = credentialOf(auth)
    if (auth.kind === 'access_token' && !issuers.includes(auth.issuer)) {
      return new InvalidTokenError(realm, 'issuer', credential)
    }
    const scope = REQUIRED[action]
    if (!auth.scopes.includes(scope)) return new InsufficientScopeError(realm, [scope], credential)
    const forbid = (rule: string) => new InsufficientScopeError(realm, [], credential, rule)
    const makesKeys = action === 'create' || action === 'rotate'
    if (makesKeys && auth.kind === 'api_key' && !keysMayCreate) return forbid('keysMayCreate')
    if (tenantWide && auth.tenant === null) return forbid('tenantWide')
    // A token may name a subject that no key can have. Further on it would be the application's mistake, a 500.
    if (!isKeyText(auth.subject) || !(auth.tenant === null || isKeyText(auth.tenant))) return forbid('keyText')
    return undefined
  }

  return async (request, { action }) => {
    const outcome = findOutcome(request)
    if (outcome === undefined) throw notMounted('authorizeByScope()')
    const { auth, mount } = outcome
    if (auth === undefined) throw refuse(new MissingCredentialsError(mount.realm), request, outcome)
    // A stream asks again for as long as it lasts, and what the mount decided is of the time when it began.
    const current = action === 'events' ? await mount.reauthenticate(request).catch(passRefusal) : auth
    const refusal = judge(current, action, mount.realm)
    if (refusal !== undefined) throw refuse(refusal, request, outcome)
    return markByScope(callerOf(current, tenantWide))
  }
}

function callerOf(auth: Auth, tenantWide: boolean): ConsoleCaller {
  const { subject, tenant, scopes, expiresAt } = auth
  return {
    actor: auth.kind === 'api_key' ? `key:${auth.keyId}` : subject,
    tenant: tenant ?? ALL_TENANTS,
    ...(!tenantWide && { subject }),
    canWrite: scopes.includes(WRITE),
    grantable: scopes,
    ...(expiresAt !== null && { notAfter: expiresAt }),
  }
}

/** As a guard refuses: telemetry and `onError` hear of it. */
function refuse(error: AnyAuthError, request: object, { auth, mount }: Outcome): AnyAuthError {
  publishRefusal(error, auth, 'guard')
  tellOnError(mount.onError, error, request)
  return noteRefusal(findOutage(request) ?? error)
}

/** What the verifier refused has been published by it. */
function passRefusal(error: unknown): never {
  throw isAuthError(error) ? noteRefusal(error) : error
}

function isKeyText(text: string): boolean {
  try {
    checkText(text, 'text')
    return true
  } catch {
    return false
  }
}
