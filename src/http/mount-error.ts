/**
 * A mistake of the application in how it uses the package. The framework answers it with 500. The message is a fixed
 * sentence; what a hook or a verifier threw is the `cause`.
 */
export class MountError extends Error {
  status = 500
  statusCode = 500
  /** Koa logs no error that may be shown to the client, and this one has to be seen by whoever can mend it. */
  expose = false
  static {
    this.prototype.name = 'MountError'
  }
}

/** @param caller what the application wrote, for example `getAuth()` */
export function notMounted(caller: string): MountError {
  return new MountError(`${caller} ran without vantageAuth(): mount the middleware before the route`)
}
