import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect } from 'vitest'
import { resolveOptions, type VerifierOptions } from '../../src/config/options.js'

/** Each test of the file runs in a working directory of its own, which is empty. */
export function useEmptyFolder(): { readonly path: string } {
  const folder = { path: '' }
  let before: string
  beforeEach(() => {
    before = process.cwd()
    folder.path = realpathSync(mkdtempSync(join(tmpdir(), 'vantage-auth-')))
    process.chdir(folder.path)
  })
  afterEach(() => {
    process.chdir(before)
    rmSync(folder.path, { recursive: true })
  })
  return folder
}

/** The configuration without a key store, and without a variable unless it is given. */
export function resolve(options: object = {}, env: NodeJS.ProcessEnv = {}) {
  return resolveOptions({ keys: false, ...options } as VerifierOptions, env)
}

/** The policy of the first issuer. */
export function issuerOf(options: object, env: NodeJS.ProcessEnv = {}) {
  return resolve(options, env).issuers[0]
}

/** With what options are refused. */
export function messageOf(options: unknown, env: NodeJS.ProcessEnv = {}): string {
  try {
    resolveOptions(options as VerifierOptions, env)
  } catch (error) {
    expect(error).toBeInstanceOf(TypeError)
    return (error as TypeError).message
  }
  throw new Error('the options were accepted')
}
