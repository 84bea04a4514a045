/**
 * Peers that only bench/package.json installs. Their own types are not there after `npm ci` in the root, so they count as
 * untyped: `npm run check` checks our code around them, not the calls into them.
 */
declare module '@better-auth/api-key'
declare module '@fastify/bearer-auth'
declare module '@fastify/jwt'
declare module 'aws-jwt-verify'
declare module 'better-auth'
declare module 'better-auth/adapters/memory'
declare module 'express-jwt'
declare module 'express-oauth2-jwt-bearer'
declare module 'fast-jwt'
declare module 'jwks-rsa'
declare module 'koa-jwt'
declare module 'passport'
declare module 'passport-http-bearer'
declare module 'prefixed-api-key'
