import { execFile } from 'node:child_process'
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { isBuiltin } from 'node:module'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { compileAlone, createUserProject, readSnippets } from './user-project.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const subpaths: string[] = Object.keys(manifest.exports).filter((subpath) => subpath !== './package.json')
const entries = subpaths.map((subpath) => subpath.replace('.', manifest.name))

// A path with characters that URLs escape, as users have them.
const scratch = mkdtempSync(join(tmpdir(), 'vantage auth #1 %20-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

/** What a user installs beside the package: nothing, or the frameworks of either supported major with their types. */
const projects = {
  bare: [],
  // The types of Koa do not fit the content-disposition that Express 5 puts beside them; an older one has no types of its own.
  current: [
    'content-disposition@0.5',
    'express@5',
    '@types/express@5',
    'koa@3',
    '@types/koa@3',
    'fastify@5',
    'libsql',
    '@types/node@20',
  ],
  earlier: ['express@4', '@types/express@4', 'koa@2', '@types/koa@2', 'fastify@4', 'libsql', '@types/node@20'],
}
type Project = keyof typeof projects

let tarball: string
let packed: { size: number; unpackedSize: number; files: { path: string }[] }

beforeAll(async () => {
  // `prepack` builds, so that what is packed is never older than the source.
  const output = await succeed('npm', ['pack', '--json', '--pack-destination', scratch], root)
  // The build prints before the list does.
  packed = JSON.parse(output.slice(output.search(/^\[\s*\{/m)))[0]
  tarball = join(scratch, `${manifest.name}-${manifest.version}.tgz`)
  console.log(`packed: ${packed.files.length} files, ${packed.size} bytes, ${packed.unpackedSize} unpacked`)
  for (const [project, packages] of Object.entries(projects)) {
    const folder = join(scratch, project)
    mkdirSync(folder)
    writeFileSync(join(folder, 'package.json'), '{ "private": true }')
    await succeed('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', tarball, ...packages], folder)
  }
}, 300_000)

describe('the tarball', () => {
  test('holds the build, the documents, and nothing else', () => {
    const files = packed.files.map(({ path }) => path)
    const opened = subpaths.map((subpath) => manifest.exports[subpath].import.default.replace('./', ''))
    const chunks = files.filter((path) => /^dist\/esm\/chunk-[A-Z0-9]{8}\.js$/.test(path))
    // Of the declarations those that a compiler can come to: the strict consumers below miss none.
    const declarations = files.filter((path) => path.startsWith('dist/esm/') && path.endsWith('.d.ts'))
    const inBothFormats = [...opened, ...chunks, ...declarations]
    const expected = [
      ...inBothFormats,
      ...inBothFormats.map((path) => path.replace('dist/esm/', 'dist/cjs/')),
      ...Object.values<string>(manifest.bin),
      'dist/cjs/package.json',
      ...['CHANGELOG.md', 'LICENSE', 'README.md', 'SECURITY.md', 'package.json'],
    ]
    expect(chunks.length).toBeGreaterThan(0)
    expect(declarations).toEqual(expect.arrayContaining(opened.map((path) => path.replace(/\.js$/, '.d.ts'))))
    const page = files.filter((path) => path.startsWith('dist/page/'))
    expect(page).toContain('dist/page/index.html')
    const programs = files.filter((path) => !/^(docs|examples|dist\/page)\//.test(path))
    expect(programs.sort()).toEqual(expected.sort())
  })

  test.each([
    { part: 'docs and examples', without: ['docs', 'examples'], limit: 600_000 },
    {
      part: 'docs, examples and the console',
      without: ['docs', 'examples', 'dist/page', 'dist/esm/console', 'dist/cjs/console'],
      limit: 455_000,
    },
  ])('is smaller than $limit bytes without $part', async ({ part, without, limit }) => {
    const folder = join(scratch, `without-${without.length}`)
    mkdirSync(folder)
    await succeed('tar', ['-xzf', tarball, '-C', folder])
    for (const name of without) rmSync(join(folder, 'package', name), { recursive: true })
    const output = await succeed('npm', ['pack', '--json', '--ignore-scripts', '--dry-run'], join(folder, 'package'))
    const [{ size, files }] = JSON.parse(output)
    console.log(`packed without ${part}: ${files.length} files, ${size} bytes`)
    expect(files.length).toBeGreaterThan(100)
    expect(size).toBeLessThan(limit)
  })

  test('depends on jose and lru-cache alone, and installs nothing more', () => {
    expect(Object.keys(manifest.dependencies)).toEqual(['jose', 'lru-cache'])
    const installed = readdirSync(join(scratch, 'bare/node_modules')).filter((name) => !name.startsWith('.'))
    expect(installed.sort()).toEqual(['jose', 'lru-cache', 'vantage-auth'])
  })

  test('marks every peer optional', () => {
    const optional = Object.keys(manifest.peerDependencies).map((peer) => [peer, { optional: true }])
    expect(manifest.peerDependenciesMeta).toEqual(Object.fromEntries(optional))
  })

  test('passes publint', async () => {
    await succeed(bin('publint'), ['run', tarball, '--strict'])
  })

  test('passes attw under every module resolution', async () => {
    await succeed(bin('attw'), [tarball, '--no-color'])
  })

  test('is not published where nobody named a registry', async () => {
    const puts: string[] = []
    const registry = createServer((request, response) => {
      if (request.method === 'PUT') puts.push(request.url ?? '')
      response.writeHead(request.method === 'PUT' ? 201 : 404).end('{}')
    })
    await new Promise<void>((resolve) => registry.listen(0, '127.0.0.1', resolve))
    const { port } = registry.address() as AddressInfo
    const url = `http://127.0.0.1:${port}/`
    const npmrc = join(scratch, 'npmrc')
    // The registry that a developer's machine is set to, and logged in at.
    writeFileSync(npmrc, `registry=${url}\n//127.0.0.1:${port}/:_authToken=token\n`)
    const publish = ['publish', tarball, '--userconfig', npmrc, '--fetch-retries=0']
    try {
      const accident = await run('npm', publish)
      expect(accident.code).not.toBe(0)
      expect(accident.stderr).toContain('registry.vantage.invalid')
      expect(puts).toEqual([])

      await succeed('npm', [...publish, '--registry', url])
      expect(puts).toEqual(['/vantage-auth'])
    } finally {
      registry.close()
    }
  })
})

describe('every entry', () => {
  const adapter = [
    'authErrors',
    'authTest',
    'authorize',
    'createRevocationReceiver',
    'findAuth',
    'getAuth',
    'requireAnyScope',
    'requireAuthentication',
    'requireKind',
    'requireScope',
    'vantageAuth',
  ]
  const publicNames = {
    'vantage-auth': [
      'AuthError',
      'DOCUMENTED_SCOPES',
      'InsufficientAuthenticationError',
      'InsufficientScopeError',
      'InvalidRequestError',
      'InvalidTokenError',
      'KeyNotFoundError',
      'KeyStateError',
      'KeyStoreError',
      'MissingCredentialsError',
      'UnavailableError',
      'UnconfirmedError',
      'answerTo',
      'assertScope',
      'authTestAnswer',
      'createKeyring',
      'createVerifier',
      'hasAnyScope',
      'hasScope',
      'isAuthError',
      'isScope',
      'memoryKeyStore',
      'openKeyStore',
    ],
    'vantage-auth/express': adapter,
    'vantage-auth/koa': adapter,
    'vantage-auth/fastify': [...adapter, 'authenticate'].sort(),
    'vantage-auth/console': ['ALL_TENANTS', 'authorizeByScope', 'createKeyConsole'],
    'vantage-auth/sqlite': ['sqliteKeyStore'],
    'vantage-auth/postgres': ['postgresKeyStore'],
    'vantage-auth/testing': [
      'createTestAuth',
      'createTestClock',
      'createTestIssuer',
      'createTestKeys',
      'keyStoreContract',
    ],
    'vantage-auth/presets': [
      'auth0',
      'cognito',
      'entra',
      'githubActions',
      'googleServiceAccount',
      'keycloak',
      'kubernetes',
      'okta',
      'spiffe',
    ],
    'vantage-auth/otel': ['recordMetrics'],
  }

  test.each(['bare', 'current', 'earlier'] as const)('exports the same names in both formats (%s)', async (project) => {
    const esm = await names(project, 'module', 'await import(entry)')
    const cjs = await names(project, 'commonjs', 'require(entry)')
    expect(esm).toEqual(cjs)
    expect(esm).toEqual(publicNames)
  })

  test('has errors that logs show by the name they are exported under, in both formats', async () => {
    const program = (load: string) => `
      const names = Object.entries(${load}).filter(([name]) => /^[A-Z].*Error$/.test(name))
      const shown = require('node:util').inspect(Object.fromEntries(names)['InvalidTokenError'].prototype.constructor)
      console.log(JSON.stringify([names.length, names.filter(([name, { name: own, prototype }]) => own !== name || prototype.name !== (name === 'AuthError' ? 'Error' : name)), shown.split(' ')[1]]))`
    const esm = await node(
      'bare',
      'module',
      `import { createRequire } from 'node:module'
      const require = createRequire(import.meta.url)
      ${program("await import('vantage-auth')")}`,
    )
    const cjs = await node('bare', 'commonjs', program("require('vantage-auth')"))
    expect([esm.stderr + cjs.stderr, esm.stdout.trim(), cjs.stdout.trim()]).toEqual([
      '',
      '[11,[],"InvalidTokenError"]',
      '[11,[],"InvalidTokenError"]',
    ])
  })

  test.each(['current', 'earlier'] as const)(
    'is a plugin that Fastify registers by itself, in both formats (%s)',
    async (project) => {
      const program = (load: string) => `
      const entry = ${load}
      const app = require('fastify')()
      app.register(${load.replace('await ', '')}, { issuer: false, keys: { find: async () => undefined } })
      app.get('/', async () => 'open')
      app.inject('/').then(({ statusCode }) => console.log(entry.default === entry.vantageAuth, statusCode, app.hasPlugin('vantage-auth')))`
      const esm = await node(
        project,
        'module',
        `import { createRequire } from 'node:module'
      const require = createRequire(import.meta.url)
      ${program("await import('vantage-auth/fastify')")}`,
      )
      const cjs = await node(project, 'commonjs', program("require('vantage-auth/fastify')"))
      expect([esm.stderr + cjs.stderr, esm.stdout.trim(), cjs.stdout.trim()]).toEqual([
        '',
        'true 401 true',
        'true 401 true',
      ])
    },
  )

  test('reaches nothing behind it', async () => {
    const inner = await node('bare', 'module', "await import('vantage-auth/dist/esm/src/verifier/verifier.js')")
    expect(inner.stderr).toContain('ERR_PACKAGE_PATH_NOT_EXPORTED')
  })

  test('loads the console for nobody who does not ask for it', async () => {
    const others = entries.filter((entry) => !entry.endsWith('/console'))
    const program = `
      for (const entry of ${JSON.stringify(others)}) require(entry)
      const loaded = () => Object.keys(require.cache).filter((path) => path.includes('/console/')).length
      const before = loaded()
      require('vantage-auth/console')
      console.log(before, loaded())`
    expect((await node('current', 'commonjs', program)).stdout.trim()).toBe('0 1')
  })

  test('lets tools read package.json', async () => {
    const { stdout } = await node('bare', 'commonjs', "console.log(require('vantage-auth/package.json').version)")
    expect(stdout.trim()).toBe(manifest.version)
  })

  async function names(project: Project, type: 'module' | 'commonjs', load: string): Promise<Record<string, string[]>> {
    const program = `
      const names = {}
      for (const entry of ${JSON.stringify(entries)}) {
        names[entry] = Object.keys(${load}).filter((name) => name !== 'default' && name !== 'module.exports').sort()
      }
      console.log(JSON.stringify(names))`
    const { stdout, stderr } = await node(project, type, program)
    expect(stderr).toBe('')
    return JSON.parse(stdout)
  }
})

describe('a process', () => {
  test.each(['current', 'earlier'] as const)(
    'of one format: an error of any entry is an AuthError (%s)',
    async (project) => {
      const body = `
      const app = express()
      app.use(vantageAuth({ issuer: false, keys: memoryKeyStore(), forwardErrors: true }))
      app.use((error, _req, res, _next) => res.json([error instanceof AuthError, error instanceof MissingCredentialsError, isAuthError(error)]))
      const server = app.listen(0, '127.0.0.1', async () => {
        const response = await fetch('http://127.0.0.1:' + server.address().port)
        console.log(await response.text())
        server.close()
      })`
      const esm = await node(
        project,
        'module',
        `import express from 'express'
       import { AuthError, isAuthError, memoryKeyStore, MissingCredentialsError } from 'vantage-auth'
       import { vantageAuth } from 'vantage-auth/express'
       ${body}`,
      )
      const cjs = await node(
        project,
        'commonjs',
        `const express = require('express')
       const { AuthError, isAuthError, memoryKeyStore, MissingCredentialsError } = require('vantage-auth')
       const { vantageAuth } = require('vantage-auth/express')
       ${body}`,
      )
      expect([esm.stdout.trim(), cjs.stdout.trim()]).toEqual(['[true,true,true]', '[true,true,true]'])
      expect(esm.stderr + cjs.stderr).toBe('')
    },
  )

  test.each(['current', 'earlier'] as const)(
    'of both: an ESM application with a CommonJS library (%s)',
    async (project) => {
      const folder = join(scratch, project)
      // The library mounts the middleware; the application guards routes, reads Auth and tells errors apart.
      writeFileSync(
        join(folder, 'library.cjs'),
        `const { vantageAuth } = require('vantage-auth/express')
       exports.mount = (app, options) => app.use(vantageAuth(options))`,
      )
      const { stdout, stderr } = await node(
        project,
        'module',
        `import express from 'express'
       import { AuthError, createKeyring, isAuthError, memoryKeyStore } from 'vantage-auth'
       import { getAuth, requireScope } from 'vantage-auth/express'
       import { mount } from './library.cjs'
       const store = memoryKeyStore()
       const { key } = await createKeyring(store).create({ subject: 'svc', scopes: ['jobs:read'] })
       const app = express()
       mount(app, { issuer: false, keys: store, forwardErrors: true })
       app.get('/jobs', requireScope('jobs:read'), (req, res) => res.json(getAuth(req).subject))
       app.get('/teams', requireScope('teams:read'), (req, res) => res.json('never'))
       app.use((error, _req, res, _next) => res.json([isAuthError(error), error instanceof AuthError, error.code]))
       const server = app.listen(0, '127.0.0.1', async () => {
         for (const [path, credential] of [['jobs', key], ['teams', key], ['jobs', 'nonsense']]) {
           const headers = { authorization: 'Bearer ' + credential }
           console.log(await (await fetch('http://127.0.0.1:' + server.address().port + '/' + path, { headers })).text())
         }
         server.close()
       })`,
      )
      expect(stderr).toBe('')
      const [jobs, teams, nonsense] = stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
      expect(jobs).toBe('svc')
      expect([teams[0], teams[2]]).toEqual([true, 'ERR_VANTAGE_SCOPE_INSUFFICIENT'])
      expect(nonsense).toEqual([true, false, 'ERR_VANTAGE_TOKEN_INVALID'])
    },
  )

  test.each(['module', 'commonjs'] as const)(
    'checks a token with jose and a key from the command line (%s)',
    async (type) => {
      const file = join(scratch, `${type}.db`)
      const created = await succeed(
        join(scratch, 'current/node_modules/.bin/vantage-auth'),
        ['keys', 'create', '--subject', 'svc', '--scopes', 'jobs:read', '--store', `sqlite:${type}.db`],
        scratch,
      )
      expect(created).toMatch(/^vak_live_[0-9A-Za-z]{61}\n$/)
      const imports =
        type === 'module'
          ? `import { createVerifier } from 'vantage-auth'
           import { sqliteKeyStore } from 'vantage-auth/sqlite'
           import { exportJWK, generateKeyPair, SignJWT } from 'jose'`
          : `const { createVerifier } = require('vantage-auth')
           const { sqliteKeyStore } = require('vantage-auth/sqlite')`
      const { stdout, stderr } = await node(
        'current',
        type,
        `${imports}
       async function main() {
         ${type === 'module' ? '' : "const { exportJWK, generateKeyPair, SignJWT } = await import('jose')"}
         const { privateKey, publicKey } = await generateKeyPair('ES256')
         const issuer = 'https://issuer.example'
         const token = await new SignJWT({ client_id: 'c', scope: 'jobs:read' })
           .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: '1' })
           .setIssuer(issuer).setAudience('https://api.example').setSubject('user').setJti('j').setIssuedAt().setExpirationTime('5m')
           .sign(privateKey)
         const store = sqliteKeyStore({ path: ${JSON.stringify(file)} })
         const jwks = { keys: [{ ...(await exportJWK(publicKey)), kid: '1', alg: 'ES256' }] }
         const verifier = createVerifier({ issuer, audience: 'https://api.example', jwks, keys: store })
         for (const credential of [token, ${JSON.stringify(created.trim())}]) {
           const { kind, subject, scopes } = await verifier.authenticate({ authorization: 'Bearer ' + credential })
           console.log(kind, subject, ...scopes)
         }
         await verifier.close()
         await store.close()
       }
       main()`,
      )
      expect(stderr).toBe('')
      expect(stdout).toBe('access_token user jobs:read\napi_key svc jobs:read\n')
    },
  )

  test('without an optional peer: SQLite runs on the driver of Node, or names the package that is missing', async () => {
    const { stdout } = await node(
      'bare',
      'module',
      `import { createKeyring } from 'vantage-auth'
       try {
         const { record } = await createKeyring('sqlite:bare.db').create({ subject: 'svc', scopes: ['jobs:read'] })
         console.log(record.subject)
       } catch (error) {
         console.log(error.name, error.message)
       }`,
    )
    if (isBuiltin('node:sqlite')) expect(stdout).toBe('svc\n')
    else expect(stdout).toMatch(/^TypeError .*npm install libsql/)
  })

  test('without an optional peer: a service with keys in Postgres does not start, and names the package', async () => {
    const { stdout } = await node(
      'bare',
      'module',
      `import { createVerifier } from 'vantage-auth'
       try {
         createVerifier({ keys: 'postgres://user:secret@host/keys' })
       } catch (error) {
         console.log(error.name, error.message)
       }`,
    )
    expect(stdout).toMatch(/^TypeError keys: .*npm install pg\n$/)
    expect(stdout).not.toContain('secret')
  })
})

describe('the command line', () => {
  test('runs from the tarball and says its version', async () => {
    const command = join(scratch, 'bare/node_modules/.bin/vantage-auth')
    expect(await succeed(command, ['--version'], scratch)).toBe(`${manifest.version}\n`)
    expect(await succeed(command, ['--help'], scratch)).toContain('keys create')
  })
})

describe('types', () => {
  const resolutions = {
    'ESM, nodenext': { type: 'module', module: 'nodenext', moduleResolution: 'nodenext' },
    'CommonJS, nodenext': { type: 'commonjs', module: 'nodenext', moduleResolution: 'nodenext' },
    'CommonJS, node16': { type: 'commonjs', module: 'node16', moduleResolution: 'node16' },
    bundler: { type: 'module', module: 'esnext', moduleResolution: 'bundler' },
    'CommonJS, node10': { type: 'commonjs', module: 'commonjs', moduleResolution: 'node10' },
  }
  const names = Object.keys(resolutions) as (keyof typeof resolutions)[]
  const cases = [
    ...names.map((name) => [name, 'current'] as const),
    ['ESM, nodenext', 'earlier'] as const,
    ['CommonJS, nodenext', 'earlier'] as const,
  ]

  test.concurrent.each(cases)(
    "a strict user's service compiles without a cast: %s, %s frameworks",
    async (name, project) => {
      const { type, ...compilerOptions } = resolutions[name]
      const folder = join(scratch, project, name.replaceAll(/\W/g, '-'))
      mkdirSync(folder)
      const files = ['consumer.ts', 'types.test-d.ts']
      for (const file of files) copyFileSync(join(root, 'test/package', file), join(folder, file))
      writeFileSync(join(folder, 'package.json'), JSON.stringify({ type }))
      const strict = {
        strict: true,
        exactOptionalPropertyTypes: true,
        noUncheckedIndexedAccess: true,
        skipLibCheck: false,
      }
      const rest = { target: 'es2022', lib: ['es2023'], types: ['node'], esModuleInterop: true, noEmit: true }
      writeFileSync(
        join(folder, 'tsconfig.json'),
        JSON.stringify({ compilerOptions: { ...compilerOptions, ...strict, ...rest }, files }),
      )
      await succeed(bin('tsc'), ['-p', folder, '--pretty', 'false'])
    },
    180_000,
  )
})

describe('what users copy', () => {
  let project: string
  beforeAll(() => {
    project = createUserProject(root, join(scratch, 'current/node_modules/vantage-auth'))
  })
  afterAll(() => rmSync(project, { recursive: true, force: true }))

  test.each(['nodenext', 'bundler'] as const)(
    'each snippet of README and docs compiles as a project of its own: %s',
    (resolution) => {
      const snippets = readSnippets(root)
      expect(snippets.length).toBeGreaterThan(20)
      expect(compileAlone(project, snippets, resolution)).toEqual([])
    },
    300_000,
  )

  test.each([
    ['Vitest', 'vitest/vitest.mjs', ['run', '--root', '.', 'vitest.test.ts'], /Tests .*2 passed/],
    ['node:test', undefined, ['--test', 'node.test.mjs'], /pass 3\n/],
    ['Jest', 'jest/bin/jest.js', ['--rootDir', '.', '--testMatch', '**/jest.test.cjs'], /Tests: +5 passed/],
  ])(
    'the example of a test passes with %s',
    async (_, runner, args, expected) => {
      const folder = join(project, 'testing')
      cpSync(join(root, 'examples/testing'), folder, { recursive: true })
      writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
      const program = runner === undefined ? args : [join(root, 'node_modules', runner), ...args]
      const { code, stdout, stderr } = await run(process.execPath, program, folder)
      expect(`${stdout}${stderr}`).toMatch(expected)
      expect(code).toBe(0)
    },
    120_000,
  )
})

function bin(name: string): string {
  return join(root, 'node_modules/.bin', name)
}

interface Outcome {
  code: number
  stdout: string
  stderr: string
}

function run(command: string, args: string[], cwd: string = scratch): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(command, args, { cwd, timeout: 240_000, maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr })
    })
  })
}

async function succeed(command: string, args: string[], cwd?: string): Promise<string> {
  const { code, stdout, stderr } = await run(command, args, cwd)
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}\n${stdout}\n${stderr}`)
  return stdout
}

let programs = 0

/** Runs a program of the given format inside a project. */
function node(project: Project, type: 'module' | 'commonjs', program: string): Promise<Outcome> {
  const file = join(scratch, project, `program-${programs++}.${type === 'module' ? 'mjs' : 'cjs'}`)
  writeFileSync(file, program)
  return run(process.execPath, [file], join(scratch, project))
}
