/** Types of built-console.js. */

export * from '../../console/index.js'
