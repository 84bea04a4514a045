import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { findViolations } from '../scripts/imports.js'

const PACKAGES = { dependencies: ['jose', 'lru-cache'], optionalPeers: ['express', 'libsql', '@opentelemetry/api'] }

test('the source keeps the rules of its layout', () => {
  const root = new URL('../', import.meta.url)
  const paths = ['src', 'adapters'].flatMap((folder) =>
    readdirSync(new URL(folder, root), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts'))
      .map((path) => `${folder}/${path}`),
  )
  const sources = new Map(paths.map((path) => [path, readFileSync(new URL(path, root), 'utf8')]))
  const { dependencies, peerDependencies } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'))

  expect(paths).toEqual(
    expect.arrayContaining([
      'src/challenge.ts',
      'src/scope.ts',
      'src/credentials.ts',
      'src/errors.ts',
      'src/options.ts',
    ]),
  )
  expect(paths).toEqual(expect.arrayContaining(['adapters/express.ts', 'adapters/koa.ts', 'adapters/fastify.ts']))
  expect(Object.keys(dependencies)).toEqual(['jose', 'lru-cache'])
  expect(
    findViolations(sources, { dependencies: Object.keys(dependencies), optionalPeers: Object.keys(peerDependencies) }),
  ).toEqual([])
})

/** Each text breaks one rule, in a file where it does. */
const broken: [rule: string, files: Record<string, string>, violation: string][] = [
  [
    'src imports no adapter',
    { 'src/verifier.ts': "import { vantageAuth } from '../adapters/koa.js'" },
    'src/verifier.ts imports the adapter adapters/koa.ts',
  ],
  [
    'src imports no adapter, not even its types',
    { 'src/stores/sqlite.ts': "import type { KoaAuth } from '../../adapters/koa.js'" },
    'src/stores/sqlite.ts imports the adapter adapters/koa.ts',
  ],
  [
    'published code imports no demo',
    { 'adapters/koa.ts': "const page = await import('../demo/pages.js')" },
    'adapters/koa.ts imports demo/pages.ts, which is not published',
  ],
  [
    'published code imports no test',
    { 'src/verifier.ts': "export * from '../test/keys.js'" },
    'src/verifier.ts imports test/keys.ts, which is not published',
  ],
  [
    'scope is a leaf',
    { 'src/scope.ts': "import type { Auth } from './auth.js'" },
    'src/scope.ts is a leaf and imports src/auth.ts',
  ],
  [
    'challenge is a leaf',
    { 'src/challenge.ts': "type Auth = import('./auth.js').Auth" },
    'src/challenge.ts is a leaf and imports src/auth.ts',
  ],
  [
    'credentials is a leaf',
    { 'src/credentials.ts': "export { x } from './api-key.js'" },
    'src/credentials.ts is a leaf and imports src/api-key.ts',
  ],
  [
    'errors imports only the challenge',
    { 'src/errors.ts': "import { formatChallenge } from './challenge.js'\nimport type { Scope } from './scope.js'" },
    'src/errors.ts imports src/scope.ts, not only the challenge',
  ],
  [
    'a store takes only types from the keyring',
    { 'src/stores/memory.ts': "import { type KeyStore } from '../keyring.js'" },
    'src/stores/memory.ts imports more than types from src/keyring.ts',
  ],
  ['only options reads the environment', { 'src/issuer.ts': 'process.env.X' }, 'src/issuer.ts reads the environment'],
  [
    'an element is read as well',
    { 'src/issuer.ts': "globalThis.process['env']" },
    'src/issuer.ts reads the environment',
  ],
  [
    'so is a destructured one',
    { 'adapters/koa.ts': 'const { env: e } = process' },
    'adapters/koa.ts reads the environment',
  ],
  [
    'so is an imported one',
    { 'adapters/koa.ts': "import { env } from 'node:process'" },
    'adapters/koa.ts reads the environment',
  ],
  ['no default export', { 'src/cache.ts': 'export default function f() {}' }, 'src/cache.ts has a default export'],
  ['no default export by assignment', { 'src/cache.ts': 'export default 1' }, 'src/cache.ts has a default export'],
  [
    'no default export by name',
    { 'src/cache.ts': 'const a = 1; export { a as default }' },
    'src/cache.ts has a default export',
  ],
  [
    'an optional peer is not imported for its values',
    { 'adapters/express.ts': "import express from 'express'" },
    'adapters/express.ts imports express without being asked to: it may be absent',
  ],
  [
    'a type among braces still loads the peer',
    { 'adapters/express.ts': "import { type Request } from 'express'" },
    'adapters/express.ts imports express without being asked to: it may be absent',
  ],
  [
    'a scoped peer likewise',
    { 'src/otel.ts': "export * from '@opentelemetry/api/build'" },
    'src/otel.ts imports @opentelemetry/api/build without being asked to: it may be absent',
  ],
  [
    'node:sqlite is not in every supported Node',
    { 'src/stores/sqlite.ts': "import { DatabaseSync } from 'node:sqlite'" },
    'src/stores/sqlite.ts imports node:sqlite without being asked to: it may be absent',
  ],
  [
    'a development dependency is named nowhere',
    { 'src/stores/sqlite.ts': "import type { X } from 'supertest'" },
    'src/stores/sqlite.ts imports supertest, which is neither a dependency nor an optional peer',
  ],
  [
    'values are not imported in a circle',
    {
      'src/a.ts': "import { b } from './b.js'",
      'src/b.ts': "import { c } from './c.js'",
      'src/c.ts': "import { b } from './b.js'",
    },
    'values are imported in a circle: src/b.ts -> src/c.ts -> src/b.ts',
  ],
]

describe('the rules', () => {
  test.each(broken)('%s', (_rule, files, violation) => {
    expect(findViolations(new Map(Object.entries(files)), PACKAGES)).toEqual([violation])
  })

  test('let types, lazy imports, the readers of the environment and circles of types pass', () => {
    const files = {
      'src/options.ts': 'export const issuer = process.env.VANTAGE_ISSUER',
      'src/cli/main.ts': "const { env } = process\nimport('../options.js')",
      'src/verifier.ts': "import { jwtVerify } from 'jose'\nimport type { Verifier } from './types.js'\nconst env = {}",
      'src/types.ts': "import { verifier } from './verifier.js'\nimport { join } from 'node:path'",
      'src/stores/sqlite.ts': "import type { KeyStore } from '../keyring.js'\nrequire('libsql'); import('node:sqlite')",
      'src/errors.ts': "import { formatChallenge } from './challenge.js'",
      'adapters/express.ts': "import type { Request } from 'express'\nimport { x } from '../src/verifier.js'",
      'demo/main.ts': "import x from 'express'\nexport default process.env",
    }
    expect(findViolations(new Map(Object.entries(files)), PACKAGES)).toEqual([])
  })
})
