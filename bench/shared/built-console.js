/** The console as it is published, apart from built-package.js: who measures the package loads none of it. */

export * from '../../dist/esm/console/index.js'
