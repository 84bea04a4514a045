import { readFileSync } from 'node:fs'

const manifest = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8'))

/** The rooms of src/. A room may import from those before it, types included, and from none behind it. */
const ROOMS = [
  'core',
  'store',
  'token',
  'api-key',
  'config',
  'presets',
  'verifier',
  'http',
  'keyring',
  'receiver',
  'testing',
  'cli',
]

/** Of console/page/ what Vite builds is published, and not the sources. */
const PUBLISHED = '^(?:src/|adapters/|console/(?!page/))'
const packages = (names) => `(?:^|/)node_modules/(?:${names.join('|')})(?:/|$)`
const DEPENDENCIES = packages(Object.keys(manifest.dependencies))
const OPTIONAL_PEERS = packages(Object.keys(manifest.peerDependencies))

/**
 * Held by `npm run check`; test/integration/layout.test.ts breaks each rule once. CONTRIBUTING.md has the map.
 *
 * @type {import('dependency-cruiser').IConfiguration}
 */
export default {
  forbidden: [
    ...ROOMS.slice(0, -1).map((room, place) => ({
      name: `room-${room}`,
      comment: `src/${room}/ may import from ${ROOMS.slice(0, place).join(', ') || 'no other room'}.`,
      severity: 'error',
      from: { path: `^src/${room}/` },
      to: { path: `^src/(?:${ROOMS.slice(place + 1).join('|')})/` },
    })),
    {
      name: 'room-without-a-place',
      comment: 'A new folder of src/ gets a place in ROOMS here, and a line in CONTRIBUTING.md.',
      severity: 'error',
      from: { path: PUBLISHED },
      to: { path: '^src/[^/]+/', pathNot: `^src/(?:${ROOMS.join('|')})/` },
    },
    {
      name: 'no-entry-in-a-room',
      comment: 'The files directly in src/ are what users import. A room imports the file that has the code.',
      severity: 'error',
      from: { path: '^src/[^/]+/' },
      to: { path: '^src/[^/]+$' },
    },
    {
      name: 'no-adapter-in-src',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^adapters/' },
    },
    {
      name: 'no-console-elsewhere',
      comment: 'The console is loaded by nobody who does not mount it.',
      severity: 'error',
      from: { path: '^(?:src|adapters)/' },
      to: { path: '^console/' },
    },
    {
      name: 'no-page-in-the-server',
      comment: 'The page runs in browsers. The server has only what is built of it.',
      severity: 'error',
      from: { path: '^console/', pathNot: '^console/page/' },
      to: { path: '^console/page/' },
    },
    {
      name: 'no-circle',
      comment: 'Files that import one another, if only types, can be read and changed only together.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'published-files-only',
      comment: 'What is published does not depend on what is not.',
      severity: 'error',
      from: { path: PUBLISHED },
      to: { path: '^(?:demo|test|bench|examples|scripts)/' },
    },
    {
      name: 'dependencies-only',
      comment: 'At run time there are jose, lru-cache and what Node brings. All else is an optional peer.',
      severity: 'error',
      from: { path: PUBLISHED },
      to: { path: '(?:^|/)node_modules/', pathNot: [DEPENDENCIES, OPTIONAL_PEERS] },
    },
    {
      name: 'packages-that-exist',
      severity: 'error',
      from: { path: PUBLISHED },
      to: { couldNotResolve: true, pathNot: '^node:sqlite$' },
    },
    {
      name: 'optional-peers-are-lazy',
      comment:
        'An optional peer may be absent: import its types, or load it with import() or createRequire() where it is used.',
      severity: 'error',
      from: { path: PUBLISHED },
      to: { path: OPTIONAL_PEERS, dependencyTypesNot: ['type-only', 'type-import', 'dynamic-import'] },
    },
    {
      name: 'sqlite-is-lazy',
      comment: 'Node 20, the oldest supported one, has no node:sqlite.',
      severity: 'error',
      from: { path: PUBLISHED },
      to: { path: '^(?:node:)?sqlite$', dynamic: false },
    },
    {
      name: 'no-environment-by-import',
      comment: 'Only src/config/ and src/cli/ read the environment; process is global for everything else.',
      severity: 'error',
      from: { path: PUBLISHED, pathNot: '^src/(?:config|cli)/' },
      to: { path: '^(?:node:)?process$' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    // Types count: what a file needs to be understood is more than what it needs to run.
    tsPreCompilationDeps: true,
  },
}
