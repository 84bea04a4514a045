import type { KeyConsole } from './contract.js'
import type { Judge } from './judge.js'
import { placeBehindMount, splitTarget } from './mount-path.js'
import { fromNode, writeToNode } from './node.js'

/** What Express adds to Node's request. */
interface ExpressRequest {
  readonly originalUrl?: string
  readonly body?: unknown
}

export function toExpress(judge: Judge): ReturnType<KeyConsole['express']> {
  return (req, res, next) => {
    const { originalUrl = req.url ?? '/' } = req as ExpressRequest
    const request = fromNode({
      req,
      res,
      place: placeBehindMount(originalUrl, splitTarget(req.url ?? '/').path),
      original: req,
      parsedBody: () => (req as ExpressRequest).body,
    })
    judge(request)
      .then((answer) => writeToNode(res, answer))
      .catch(next)
  }
}
