import type { ReadBody } from '../src/http/body.js'
import type { Caller } from './caller.js'

/** A request to the console, whatever the framework. */
export interface ConsoleRequest {
  readonly method: string
  /** The path that the console is mounted at, without a slash at its end; `''` at the root. */
  readonly mount: string
  /** The path below the mount, percent-encoded as it came: `/`, `/api/keys`. `''` for the mount without its slash. */
  readonly path: string
  /** What follows `?`, percent-encoded as it came. */
  readonly query: string
  /** Scheme of the socket and `Host`, as browsers write an origin; `undefined` where they are none. */
  readonly ownOrigin: string | undefined
  /** The value of a header, by its name in lower case. Where it came several times, what the server made of it. */
  header(name: string): string | undefined
  /**
   * Whether the client itself sent an `Authorization` header. An application may make one of a cookie, which browsers send
   * across sites.
   */
  readonly sentAuthorization: boolean
  /** Reads the body, once. */
  readBody(): Promise<ReceivedBody>
  /** What `authorize` is given: what handlers of the framework receive. */
  readonly original: unknown
  /** What `fetch` was given besides the request, for `authorize`. */
  readonly context: Readonly<Record<string, unknown>>
}

/** The body of a request: its bytes, what the application's own parser made of them, or why there is none. */
export type ReceivedBody = ReadBody | { readonly parsed: unknown }

export interface ConsoleAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** A stream is cancelled when the client is gone. An answer to HEAD is written without its body. */
  readonly body: string | Uint8Array | ReadableStream<Uint8Array>
}

/** `GET api/events`. */
export interface EventStreams {
  /**
   * @param askAgain asks `authorize` once more: `undefined` where the session has ended; rejects where the answer cannot count
   */
  open(request: ConsoleRequest, caller: Caller, askAgain: () => Promise<Caller | undefined>): ConsoleAnswer
  /** Ends all streams. */
  close(): Promise<void>
}
