/**
 * A mistake of the application in how it uses the package. The framework answers it with 500. The message is a fixed
 * sentence that may be shown to anybody; what a hook threw is the `cause`.
 */
export class MountError extends Error {
  status = 500
  statusCode = 500
  /** Whether frameworks may send the message to the client. */
  expose = true
  static {
    this.prototype.name = 'MountError'
  }
}

/** @param caller what the application wrote, for example `getAuth()` */
export function notMounted(caller: string): MountError {
  return new MountError(`${caller} ran without vantageAuth(): mount the middleware before the route`)
}
