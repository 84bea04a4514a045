import type { Auth } from '../src/core/auth.js'
import type { Scope } from '../src/core/scope.js'

/** What the sample API accepts; the same on each framework. */
export interface SampleApiOptions {
  /** Port on loopback; 0 for a free one. */
  readonly port: number
  /** Whose access tokens it accepts. */
  readonly issuer: string
  /** What those tokens must be for. */
  readonly audience: string
  /** URL of the key store. */
  readonly keys: string
}

/** One route of the sample API. */
export interface SampleRoute {
  readonly method: 'get' | 'post'
  readonly path: string
  readonly scope: Scope
  readonly status: 200 | 201
  answer(auth: Auth): object
}

const RESOURCES = [
  { name: 'jobs', item: { id: 'job_1', name: 'Nightly simulation' } },
  { name: 'clusters', item: { id: 'cluster_1', name: 'gpu-east' } },
  { name: 'storage', item: { id: 'file_1', name: 'results.parquet' } },
  { name: 'teams', item: { id: 'team_1', name: 'Research' } },
] as const

/** The routes of the sample API. Request bodies are ignored; there is nothing behind it to change. */
export const SAMPLE_ROUTES: readonly SampleRoute[] = RESOURCES.flatMap(({ name, item }): SampleRoute[] => [
  { method: 'get', path: `/v1/${name}`, scope: `${name}:read`, status: 200, answer: () => ({ [name]: [item] }) },
  {
    method: 'post',
    path: `/v1/${name}`,
    scope: `${name}:write`,
    status: 201,
    answer: (auth) => ({ ...item, created_by: auth.subject }),
  },
])
