import type { JSX } from 'preact'
import { Heading } from '../parts/heading.js'
import { formatRoute } from '../routes.js'
import { texts } from '../texts.js'

export function NotFound(): JSX.Element {
  return (
    <>
      <Heading title={texts.shell.notFound} />
      <p>
        <a href={formatRoute({ view: 'list' })}>{texts.shell.backToKeys}</a>
      </p>
    </>
  )
}
