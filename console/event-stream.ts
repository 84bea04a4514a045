const RETRY_MS = 3000

/** Chunks that wait for a reader. They are shared between streams, so that each costs a reference. */
const QUEUE_LENGTH = 256

const encoder = new TextEncoder()

/** One message of a stream. `data` is JSON: browsers drop an event without any. */
export function formatEvent(event: string, data: object, position?: string): Uint8Array {
  const id = position === undefined ? '' : `id: ${position}\n`
  return encoder.encode(`${id}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
}

/** What keeps proxies from closing a connection that is silent, and shows a server that its client is gone. */
const COMMENT = encoder.encode(':\n\n')

/** Tells the client that it has missed something: it asks for everything anew. */
function formatReload(position: string): Uint8Array {
  return formatEvent('reload', {}, position)
}

/** The answer to one client that listens. */
export interface EventStream {
  readonly body: ReadableStream<Uint8Array>
  /** A message made by {@link formatEvent}. Where the client reads too slowly it is dropped, and a `reload` follows. */
  send(message: Uint8Array): void
  reload(): void
  comment(): void
  /** Closes it behind what waits to be read. */
  end(last?: Uint8Array): void
  /** Breaks it off, with what waits to be read. */
  abort(): void
  /** Whether messages were dropped, and the client has read nothing since. */
  isStuck(): boolean
}

/**
 * @param position where the client may go on from when it comes back
 * @param missed what it has to be sent first; `undefined` for a `reload`
 * @param onGone called when the client is gone
 */
export function createEventStream(
  position: () => string,
  missed: readonly Uint8Array[] | undefined,
  onGone: () => void,
): EventStream {
  let controller: ReadableStreamDefaultController<Uint8Array>
  let isOpen = true
  let hasDropped = false

  const body = new ReadableStream<Uint8Array>(
    {
      start(given) {
        controller = given
        controller.enqueue(COMMENT)
        // A message without an event sets the position only: who loses the connection at once can be caught up as well.
        controller.enqueue(encoder.encode(`retry: ${RETRY_MS}\nid: ${position()}\n\n`))
      },
      pull() {
        if (!hasDropped) return
        hasDropped = false
        controller.enqueue(formatReload(position()))
      },
      cancel() {
        isOpen = false
        onGone()
      },
    },
    new CountQueuingStrategy({ highWaterMark: QUEUE_LENGTH }),
  )

  function send(message: Uint8Array): void {
    if (!isOpen || hasDropped) return
    if ((controller.desiredSize ?? 0) > 0) controller.enqueue(message)
    else hasDropped = true
  }
  const reload = () => send(formatReload(position()))

  if (missed === undefined || missed.length > QUEUE_LENGTH / 2) reload()
  else missed.forEach(send)

  return {
    body,
    send,
    reload,
    comment: () => send(COMMENT),
    end(last) {
      if (!isOpen) return
      isOpen = false
      // Also where the queue is full: it is the last one.
      if (last !== undefined) controller.enqueue(last)
      controller.close()
    },
    abort() {
      if (!isOpen) return
      isOpen = false
      controller.error(new Error('the event stream was broken off: its client does not read'))
    },
    isStuck: () => hasDropped,
  }
}
