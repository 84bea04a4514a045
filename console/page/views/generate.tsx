import type { JSX } from 'preact'
import { useCallback, useState } from 'preact/hooks'
import type { CreatedKeyJson } from '../../api-types.js'
import { Heading } from '../parts/heading.js'
import { useLeaveQuestion } from '../parts/leave-question.js'
import { Once } from '../parts/once.js'
import { go } from '../router.js'
import { formatRoute } from '../routes.js'
import { texts } from '../texts.js'
import type { ViewProps } from '../view.js'
import { GenerateForm } from './generate-form.js'
import { resetList } from './list.js'

function done(): void {
  resetList()
  go({ view: 'list' })
}

/** Makes a key: a form, and then the key, once. */
export function Generate({ session }: ViewProps): JSX.Element {
  const [created, setCreated] = useState<CreatedKeyJson>()
  const [sending, setSending] = useState(false)
  // A key that is made while nobody is there to see it is lost.
  const question = useLeaveQuestion(sending, texts.leave.sending, texts.leave.sendingDetail)
  const forget = useCallback(() => setCreated(undefined), [])
  if (session !== undefined && created !== undefined) {
    return <Once created={created} apiUrl={session.apiUrl} onForget={forget} onDone={done} />
  }
  return (
    <>
      <p class="crumbs">
        <a href={formatRoute({ view: 'list' })}>{texts.list.title}</a>
      </p>
      <Heading title={texts.generate.title} />
      {session !== undefined &&
        ((session.canWrite && session.scopes.length > 0) || sending ? (
          <GenerateForm session={session} sending={sending} onSending={setSending} onCreated={setCreated} />
        ) : (
          <p class="notice">{session.canWrite ? texts.generate.noScopes : texts.shell.readOnly}</p>
        ))}
      {question}
    </>
  )
}
