/** What the built package is made of: files and folders, from the root of the repository. */
export const SOURCES = ['src', 'adapters', 'console', 'tsup.config.ts', 'scripts/commonjs.ts', 'package.json']
