import type { IssuerOptions } from '../config/issuer-options.js'
import { checkAudience, checkGrants, readArguments } from './arguments.js'

/** See {@link githubActions}. */
export interface GithubActionsArguments {
  /** What the workflow asks an ID token for. Not the default, the URL of the owner, which other services accept as well. */
  audience: string | readonly string[]
  /** What each repository, branch or environment may do, by `sub` or other claims such as `repository_id`. */
  grants: NonNullable<IssuerOptions['grants']>
}

/**
 * ID tokens of GitHub Actions, for callers that are workflows.
 *
 * Everybody on GitHub can have one for any audience, and they say nothing of scopes: `grants` says whose may do something.
 *
 * @throws {TypeError} for an argument that is missing, wrong or unknown
 * @see docs/providers/github-actions.md
 */
export function githubActions(args: GithubActionsArguments): IssuerOptions {
  const given = readArguments(args, 'githubActions', ['audience', 'grants'])
  return {
    preset: 'githubActions',
    issuer: 'https://token.actions.githubusercontent.com',
    audience: checkAudience(given.audience),
    profile: 'lenient',
    scopeClaims: [],
    scopes: 'first',
    grants: checkGrants(given.grants),
  }
}
