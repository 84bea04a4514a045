export type * from './api-types.js'
export { type AuthorizeByScopeOptions, authorizeByScope } from './authorize-by-scope.js'
export { createKeyConsole } from './console.js'
export * from './contract.js'
