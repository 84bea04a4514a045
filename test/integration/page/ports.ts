import { once } from 'node:events'
import { createServer } from 'node:net'

/** A port that is free, with the four after it; below the range that systems hand out themselves. */
export async function freePortRange(): Promise<number> {
  for (;;) {
    const first = 20000 + Math.floor(Math.random() * 10000)
    const servers = [0, 1, 2, 3, 4].map((offset) => createServer().listen(first + offset, '127.0.0.1'))
    const free = await Promise.all(
      servers.map((server) =>
        once(server, 'listening').then(
          () => true,
          () => false,
        ),
      ),
    )
    await Promise.all(servers.filter((server) => server.listening).map((server) => once(server.close(), 'close')))
    if (free.every(Boolean)) return first
  }
}
