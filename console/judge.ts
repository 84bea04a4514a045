import { answerWithin } from '../src/core/deadline.js'
import { createOutageNotices } from '../src/core/outage-notices.js'
import { answerTo } from '../src/http/answers.js'
import { MAX_BODY_BYTES } from '../src/http/body.js'
import { notFound, redirect, refuse, secured } from './answers.js'
import { parseMembers } from './body.js'
import { AuthorizeError, type Caller, parseCaller } from './caller.js'
import { CALLER_HEADER, formatCaller } from './caller-header.js'
import { ALL_TENANTS, type ConsoleAction, type ConsoleQuestion } from './contract.js'
import type { ConsoleAnswer, ConsoleRequest, ReceivedBody } from './exchange.js'
import { createFirstOnly } from './first-only.js'
import { isId } from './ids.js'
import { answerToFailure, keysWithin } from './keys-within.js'
import { forPerson } from './navigation.js'
import { createMistakeNotice } from './notices.js'
import { documentedRefusal } from './preset.js'
import { parseQuery } from './query.js'
import { type Endpoint, findRoute, type Route } from './routes.js'
import { describeOrigin, isSameOrigin } from './same-origin.js'
import { answerToNobody, unauthenticated } from './sign-in.js'
import type { Handler, Site, Task } from './task.js'
import { describeThrown } from './thrown.js'

/** Answers every request to a console. It never rejects. */
export type Judge = (request: ConsoleRequest) => Promise<ConsoleAnswer>

export function createJudge(site: Site): Judge {
  const { settings, made, assets } = site
  const firstOnly = createFirstOnly()
  const tellMistake = createMistakeNotice()
  const outage = createOutageNotices().about('the key store of the console', settings.keyring)

  /** @throws {AuthorizeError} where the answer is none that counts; and the refusals of `authorizeByScope()` */
  async function ask(
    request: ConsoleRequest,
    action: ConsoleAction,
    id: string | undefined,
  ): Promise<Caller | undefined> {
    const { action: _, id: __, ...context } = request.context
    const question: ConsoleQuestion = { ...context, action, ...(id !== undefined && { id }) }
    try {
      const answer: unknown = await answerWithin(
        settings.timeoutMs,
        'it',
        settings.authorize(request.original, question),
      )
      if (answer === undefined) return undefined
      const caller = parseCaller(answer, made.scopes)
      if (caller.namesNoScope) tellMistake('authorize', 'returned a grantable in which no scope is one of the keyring')
      return caller
    } catch (error) {
      if (AuthorizeError.is(error)) throw error
      throw documentedRefusal(error) ?? new AuthorizeError(`failed: ${describeThrown(error)}`)
    }
  }

  /** The order is documented: each answer is given only to those whom none of the earlier ones is for. */
  async function judge(request: ConsoleRequest): Promise<ConsoleAnswer> {
    const { method, path } = request
    if (path === '') return redirect(308, `${request.mount}/${request.query === '' ? '' : `?${request.query}`}`)
    const asset = assets.find(path)
    if (asset !== undefined) {
      return isReading(method) ? asset(request.header('accept-encoding')) : refuseMethod('GET, HEAD')
    }

    const route = findRoute(path)
    const endpoint = route?.endpoints.get(method)
    const id = idOf(route, endpoint, request.query)
    let caller: Caller | undefined
    try {
      caller = await ask(request, endpoint?.action ?? 'page', id)
    } catch (error) {
      const refusal = documentedRefusal(error)
      if (refusal === undefined) throw error
      const answer = answerTo(refusal)
      return refusal.status === 401 ? answerToNobody(request, settings.signInUrl, answer) : answer
    }
    if (caller === undefined) return answerToNobody(request, settings.signInUrl, unauthenticated(settings.challenge))

    if (!isSafe(method)) {
      const needsNeither = caller.byScope && request.sentAuthorization
      if (!isSameOrigin(request, settings.origins, needsNeither)) {
        tellMistake('origin', describeOrigin(request, settings.origins))
        return refuse('forbidden', FOREIGN)
      }
    }
    if (!isTakenForCaller(request, caller)) {
      return refuse('invalid_state', 'Somebody else is signed in since this page was loaded: load it again')
    }
    if (route === undefined) return notFound()
    if (endpoint === undefined) return refuseMethod(route.allow)

    let body: ReceivedBody = { parsed: {} }
    if (endpoint.method === 'POST') {
      if (!isJson(request.header('content-type'))) {
        return refuse('unsupported_media_type', 'The body must be application/json')
      }
      body = await request.readBody()
      if (body === 'too_large') return refuse('too_large', `The body may have ${MAX_BODY_BYTES} bytes at most`)
      if (!caller.canWrite) return refuse('forbidden', 'You may look at keys, and not make or change any')
    }
    if (route.id !== undefined && id === undefined) return notFound()
    const task: Task = {
      site,
      request,
      caller,
      keys: keysWithin(settings.timeoutMs, settings.keyring, outage),
      id: id ?? '',
      askAgain: () => ask(request, endpoint.action, id),
      query: (names) => parseQuery(request.query, names),
      members: () => parseMembers(body),
    }
    const act = (): ReturnType<Handler> => endpoint.handler(task)
    return await (endpoint.method === 'POST' ? firstOnly(request, caller, act) : act())
  }

  function answerToError(error: unknown): ConsoleAnswer {
    const answer = answerToFailure(error)
    if (answer !== undefined) return answer
    tellMistake(AuthorizeError.is(error) ? 'authorize' : 'console', error)
    return refuse('server_error', 'The console cannot answer: whoever runs it finds the cause in its log')
  }

  return async (request) => secured(forPerson(request, await judge(request).catch(answerToError)))
}

/** What a page asks for one person is not done as another one. Programs do not send the header. */
function isTakenForCaller(request: ConsoleRequest, { actor, tenant, subject }: Caller): boolean {
  const given = request.header(CALLER_HEADER)
  const person = { actor, tenant: tenant === ALL_TENANTS ? null : tenant, subject: subject ?? null }
  return given === undefined || given === formatCaller(person)
}

/** Whoever reads this is most likely in front of the page, behind a proxy that the options do not know. */
const FOREIGN =
  'This request does not come from an address that the console is set up for (its origin). Tell whoever runs it'

function isReading(method: string): boolean {
  return method === 'GET' || method === 'HEAD'
}

/** RFC 9110 §9.2.1: what only reads. */
function isSafe(method: string): boolean {
  return isReading(method) || method === 'OPTIONS'
}

function refuseMethod(allow: string): ConsoleAnswer {
  return refuse('method_not_allowed', `There are only these methods here: ${allow}`, { Allow: allow })
}

function isJson(contentType: string | undefined): boolean {
  return contentType !== undefined && /^\s*application\/json\s*(?:;|$)/i.test(contentType)
}

/** The id of the key that a request is about, in its path or in its query. `undefined` for what is none. */
function idOf(route: Route | undefined, endpoint: Endpoint | undefined, query: string): string | undefined {
  const id = endpoint?.action === 'audit' ? new URLSearchParams(query).get('id') : route?.id
  return isId(id) ? id : undefined
}
