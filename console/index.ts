export type * from './api-types.js'
export { createKeyConsole } from './console.js'
export * from './contract.js'
