/** Which file may import which, and what else the layout promises. `test/imports.test.ts` holds it. */
import { posix } from 'node:path'
import ts from 'typescript'

/** Source texts by path from the root of the project. */
export type Sources = ReadonlyMap<string, string>

/** What package.json says about the packages that published code may name. */
export interface Packages {
  readonly dependencies: readonly string[]
  readonly optionalPeers: readonly string[]
}

interface Import {
  readonly specifier: string
  /** The project file behind a relative specifier. */
  readonly file: string | undefined
  /** `type` leaves nothing behind in JavaScript; `dynamic` is loaded only when the code comes there. */
  readonly kind: 'value' | 'type' | 'dynamic'
}

const LEAVES = ['src/challenge.ts', 'src/scope.ts', 'src/credentials.ts']
const UNPUBLISHED = /^(?:demo|test|bench|examples|scripts)\//
const READS_ENVIRONMENT = /^src\/(?:options\.ts|cli\/)/

/** @returns one sentence for each broken rule, in the order of the files */
export function findViolations(sources: Sources, packages: Packages): string[] {
  const published = [...sources].filter(([path]) => /^(?:src|adapters)\//.test(path))
  const imports = new Map(published.map(([path, text]) => [path, readImports(path, text)]))
  return [
    ...published.flatMap(([path, text]) => [
      ...(imports.get(path) ?? []).flatMap((found) => judgeImport(path, found, packages)),
      ...judgeText(path, text),
    ]),
    ...findCycles(imports).map((cycle) => `values are imported in a circle: ${cycle.join(' -> ')}`),
  ]
}

function judgeImport(path: string, { specifier, file, kind }: Import, packages: Packages): string[] {
  if (file === undefined) return judgePackage(path, specifier, kind, packages)
  const broken: string[] = []
  if (path.startsWith('src/') && file.startsWith('adapters/')) broken.push(`${path} imports the adapter ${file}`)
  if (UNPUBLISHED.test(file)) broken.push(`${path} imports ${file}, which is not published`)
  if (LEAVES.includes(path)) broken.push(`${path} is a leaf and imports ${file}`)
  if (path === 'src/errors.ts' && file !== 'src/challenge.ts')
    broken.push(`${path} imports ${file}, not only the challenge`)
  if (path.startsWith('src/stores/') && file === 'src/keyring.ts' && kind !== 'type') {
    broken.push(`${path} imports more than types from ${file}`)
  }
  return broken
}

function judgePackage(path: string, specifier: string, kind: Import['kind'], packages: Packages): string[] {
  // Node 20, the oldest supported one, has no node:sqlite.
  if (specifier.startsWith('node:') && specifier !== 'node:sqlite') return []
  const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
  if (packages.dependencies.includes(name)) return []
  if (!packages.optionalPeers.includes(name) && name !== 'node:sqlite') {
    return [`${path} imports ${specifier}, which is neither a dependency nor an optional peer`]
  }
  return kind === 'value' ? [`${path} imports ${specifier} without being asked to: it may be absent`] : []
}

function judgeText(path: string, text: string): string[] {
  const broken: string[] = []
  for (const node of nodesOf(parse(path, text))) {
    if (isDefaultExport(node)) broken.push(`${path} has a default export`)
    if (isEnvironmentRead(node) && !READS_ENVIRONMENT.test(path)) broken.push(`${path} reads the environment`)
  }
  return broken
}

function readImports(path: string, text: string): Import[] {
  const imports: Import[] = []
  const add = (node: ts.Node | undefined, kind: Import['kind']) => {
    if (node === undefined || !ts.isStringLiteralLike(node)) return
    const specifier = node.text
    const file = specifier.startsWith('.')
      ? posix.join(posix.dirname(path), specifier).replace(/\.js$/, '.ts')
      : undefined
    imports.push({ specifier, file, kind })
  }
  for (const node of nodesOf(parse(path, text))) {
    // `import { type X } from 'y'` is a value import: under verbatimModuleSyntax it loads y.
    if (ts.isImportDeclaration(node)) {
      add(node.moduleSpecifier, node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword ? 'type' : 'value')
    } else if (ts.isExportDeclaration(node)) {
      add(node.moduleSpecifier, node.isTypeOnly ? 'type' : 'value')
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      add(node.argument.literal, 'type')
    } else if (ts.isExternalModuleReference(node)) {
      add(node.expression, 'value')
    } else if (ts.isCallExpression(node) && loadsModule(node.expression)) {
      add(node.arguments[0], 'dynamic')
    }
  }
  return imports
}

function loadsModule(callee: ts.Expression): boolean {
  return callee.kind === ts.SyntaxKind.ImportKeyword || (ts.isIdentifier(callee) && callee.text === 'require')
}

function isDefaultExport(node: ts.Node): boolean {
  if (ts.isExportAssignment(node)) return true
  if (ts.isExportSpecifier(node)) return node.name.text === 'default'
  return ts.canHaveModifiers(node) && (ts.getModifiers(node) ?? []).some((m) => m.kind === ts.SyntaxKind.DefaultKeyword)
}

/** `process.env` in its spellings: as a property, an element, a destructured name, and an import. */
function isEnvironmentRead(node: ts.Node): boolean {
  if (ts.isPropertyAccessExpression(node)) return isProcess(node.expression) && node.name.text === 'env'
  if (ts.isElementAccessExpression(node)) {
    return (
      isProcess(node.expression) &&
      ts.isStringLiteralLike(node.argumentExpression) &&
      node.argumentExpression.text === 'env'
    )
  }
  if (ts.isBindingElement(node)) {
    return (
      (node.propertyName ?? node.name).getText() === 'env' &&
      ts.isVariableDeclaration(node.parent.parent) &&
      isProcess(node.parent.parent.initializer)
    )
  }
  if (ts.isImportSpecifier(node)) {
    const specifier = node.parent.parent.parent.moduleSpecifier
    return (
      (node.propertyName ?? node.name).text === 'env' &&
      ts.isStringLiteral(specifier) &&
      /^(?:node:)?process$/.test(specifier.text)
    )
  }
  return false
}

function isProcess(node: ts.Expression | undefined): boolean {
  if (node === undefined) return false
  if (ts.isPropertyAccessExpression(node)) return node.name.text === 'process'
  return ts.isIdentifier(node) && node.text === 'process'
}

function findCycles(imports: ReadonlyMap<string, readonly Import[]>): string[][] {
  const cycles: string[][] = []
  const done = new Set<string>()
  const visit = (path: string, trail: readonly string[]) => {
    const start = trail.indexOf(path)
    if (start >= 0) cycles.push([...trail.slice(start), path])
    if (start >= 0 || done.has(path)) return
    for (const { file, kind } of imports.get(path) ?? []) {
      if (file !== undefined && kind === 'value') visit(file, [...trail, path])
    }
    done.add(path)
  }
  for (const path of imports.keys()) visit(path, [])
  return cycles
}

function parse(path: string, text: string): ts.SourceFile {
  return ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true)
}

function nodesOf(root: ts.Node): ts.Node[] {
  const nodes: ts.Node[] = []
  const visit = (node: ts.Node) => {
    nodes.push(node)
    ts.forEachChild(node, visit)
  }
  visit(root)
  return nodes
}
