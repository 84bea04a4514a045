import type { SessionJson } from '../api-types.js'

/** What each view is given. */
export interface ViewProps {
  /** Absent while the page loads. */
  readonly session: SessionJson | undefined
}
