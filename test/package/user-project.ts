import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import ts from 'typescript'

/**
 * A project of a user: the built package, and beside it everything that this repository has installed.
 *
 * The package is copied, since a link would lead its own imports, and what it adds to the types of frameworks, elsewhere.
 */
export function createUserProject(root: string, builtPackage: string): string {
  const project = mkdtempSync(join(tmpdir(), 'user-project-'))
  const modules = join(project, 'node_modules')
  mkdirSync(modules)
  for (const name of readdirSync(join(root, 'node_modules'))) {
    if (!name.startsWith('.') && name !== 'vantage-auth')
      symlinkSync(join(root, 'node_modules', name), join(modules, name))
  }
  for (const part of ['package.json', 'dist']) {
    cpSync(join(builtPackage, part), join(modules, 'vantage-auth', part), { recursive: true })
  }
  writeFileSync(join(project, 'package.json'), '{ "private": true, "type": "module" }')
  return project
}

/** A fenced block of TypeScript in a document. */
export interface Snippet {
  /** Document and line. */
  readonly at: string
  /** The name of its file: of a comment `// name.d.ts` in its first line, else `snippet.ts`. */
  readonly file: string
  readonly code: string
}

/** The snippets of README.md and of all documents in docs/ and its folders. */
export function readSnippets(root: string): Snippet[] {
  const docs = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.md'),
  )
  return ['README.md', ...docs.map((name) => join('docs', name))].flatMap((document) => {
    const text = readFileSync(join(root, document), 'utf8')
    return [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map(({ 1: code = '', index }) => ({
      at: `${document}:${text.slice(0, index).split('\n').length}`,
      file: /^\/\/ ([\w-]+(?:\.d)?\.ts)$/m.exec(code.split('\n')[0] ?? '')?.[1] ?? 'snippet.ts',
      code,
    }))
  })
}

const RESOLUTIONS = {
  nodenext: { module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext },
  bundler: { module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler },
} as const

export type Resolution = keyof typeof RESOLUTIONS

/**
 * Compiles each snippet as a project of its own: it sees its own imports and nothing else.
 *
 * @returns what the compiler says, by snippet
 */
export function compileAlone(project: string, snippets: readonly Snippet[], resolution: Resolution): string[] {
  const options: ts.CompilerOptions = {
    ...RESOLUTIONS[resolution],
    target: ts.ScriptTarget.ES2022,
    lib: ['lib.es2023.d.ts'],
    types: ['node'],
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    skipLibCheck: true,
    noEmit: true,
  }
  const host = ts.createCompilerHost(options)
  const parse = host.getSourceFile
  // Read once: the libraries are the same for all.
  const parsed = new Map<string, ts.SourceFile | undefined>()
  host.getSourceFile = (name, ...rest) => {
    if (!parsed.has(name)) parsed.set(name, parse(name, ...rest))
    return parsed.get(name)
  }
  return snippets.flatMap(({ at, file, code }, index) => {
    const folder = join(project, `${resolution}-${index}`)
    if (!existsSync(folder)) mkdirSync(folder)
    const path = join(folder, file)
    writeFileSync(path, code)
    const program = ts.createProgram([path], { ...options, typeRoots: [join(project, 'node_modules/@types')] }, host)
    return ts
      .getPreEmitDiagnostics(program)
      .map(({ messageText }) => `${at} (${resolution}): ${ts.flattenDiagnosticMessageText(messageText, '\n')}`)
  })
}
