import { checkStrings } from '../config/checks.js'
import type { IssuerOptions } from '../config/issuer-options.js'
import { ArgumentError } from '../core/argument-error.js'
import { readArguments } from './arguments.js'

/** See {@link cognito}. */
export interface CognitoArguments {
  /** Region of the user pool: `eu-central-1`. */
  region: string
  /** Id of the user pool, which begins with the region: `eu-central-1_Abc123xyz`. */
  userPoolId: string
  /** Ids of the app clients whose tokens are accepted. They take the place of an audience, which these tokens lack. */
  clients: readonly string[]
}

/**
 * Access tokens of a user pool of Amazon Cognito. They name no audience, so that the app client decides: give this service's
 * own alone. A token that has an `aud` all the same must name the `audience` of the verifier.
 *
 * `auth.sessionId` is `origin_jti`, which all tokens of one sign-in share. ID tokens are refused by `token_use`, refresh
 * tokens are encrypted.
 *
 * @throws {TypeError} for an argument that is missing, wrong or unknown
 * @see docs/providers/cognito.md
 */
export function cognito(args: CognitoArguments): IssuerOptions {
  const given = readArguments(args, 'cognito', ['region', 'userPoolId', 'clients'])
  const { value: region } = given.region
  if (typeof region !== 'string' || !/^[a-z]{2,4}(?:-[a-z]+)+-\d{1,2}$/.test(region)) {
    throw new ArgumentError(given.region.name, 'must be the region of the user pool: eu-central-1')
  }
  const { value: userPoolId } = given.userPoolId
  if (typeof userPoolId !== 'string' || !/^[\w-]+_[0-9A-Za-z]+$/.test(userPoolId)) {
    throw new ArgumentError(given.userPoolId.name, 'must be the id of the user pool: eu-central-1_Abc123xyz')
  }
  if (!userPoolId.startsWith(`${region}_`)) {
    throw new ArgumentError(
      given.userPoolId.name,
      'is in another region than region of cognito(): it begins with its own',
    )
  }
  if (!Array.isArray(given.clients.value)) {
    throw new ArgumentError(given.clients.name, 'must be a list of app client ids with one entry at least')
  }
  return {
    preset: 'cognito',
    issuer: `https://cognito-idp.${region}.${region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com'}/${userPoolId}`,
    clients: checkStrings(given.clients),
    profile: 'lenient',
    clientIdClaim: 'client_id',
    sessionClaim: 'origin_jti',
    required: { token_use: 'access' },
    scopeClaims: ['scope'],
    scopes: 'first',
  }
}
