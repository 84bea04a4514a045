import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { useHold } from '../router.js'
import { texts } from '../texts.js'

const t = texts.leave

/**
 * Asks whoever leaves the view while `active`. Escape stays.
 *
 * @returns the question while it is asked, for the view to show
 */
export function useLeaveQuestion(active: boolean, title: string, detail: string): JSX.Element | undefined {
  const [leave, setLeave] = useState<() => void>()
  useHold(active, (go) => setLeave(() => go))
  useEffect(() => {
    if (!active) setLeave(undefined)
  }, [active])
  if (!active || leave === undefined) return undefined
  return <LeaveQuestion title={title} detail={detail} onStay={() => setLeave(undefined)} onLeave={leave} />
}

function LeaveQuestion(props: {
  readonly title: string
  readonly detail: string
  readonly onStay: () => void
  readonly onLeave: () => void
}): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => dialog.current?.showModal(), [])
  return (
    <dialog
      ref={dialog}
      role="alertdialog"
      aria-labelledby="leave"
      aria-describedby="leave-detail"
      onClose={props.onStay}
    >
      <h2 id="leave">{props.title}</h2>
      <p id="leave-detail">{props.detail}</p>
      <div class="actions">
        <button type="button" class="primary" onClick={() => dialog.current?.close()}>
          {t.stay}
        </button>
        <button type="button" class="danger" onClick={props.onLeave}>
          {t.leaveAnyway}
        </button>
      </div>
    </dialog>
  )
}
