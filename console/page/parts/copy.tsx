import type { JSX, RefObject } from 'preact'
import { useState } from 'preact/hooks'
import { texts } from '../texts.js'

const t = texts.copy

/**
 * Copies what `source` shows. Where there is no clipboard, or it is refused, the text is selected for copying by hand.
 * `onResult` is told a sentence for the status of the view.
 */
export function CopyButton(props: {
  readonly label: string
  readonly text: string
  readonly what: keyof typeof t.copied
  readonly source: RefObject<HTMLElement | null>
  readonly onResult: (sentence: string) => void
}): JSX.Element {
  const { label, text, what, source, onResult } = props
  const [copied, setCopied] = useState(false)

  async function copy(): Promise<void> {
    try {
      await navigator.clipboard.writeText(text)
      setCopied(true)
      onResult(t.copied[what])
    } catch {
      setCopied(false)
      select(source.current)
      onResult(t.selected)
    }
  }

  return (
    <button type="button" class={copied ? 'copy copied' : 'copy'} onClick={copy}>
      {label}
    </button>
  )
}

function select(element: HTMLElement | null): void {
  if (element === null) return
  if (element instanceof HTMLTextAreaElement) {
    element.focus()
    element.select()
  } else {
    getSelection()?.selectAllChildren(element)
  }
}
