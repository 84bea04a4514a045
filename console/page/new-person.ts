const PLACE = 'vantage-auth.console.new-person'

/** The page is about to begin anew, since somebody else has signed in. */
export function noteNewPerson(): void {
  try {
    sessionStorage.setItem(PLACE, 'yes')
  } catch {
    // A browser without storage: the name above the view says who it is.
  }
}

/** Whether that is why this page was loaded, once. */
export function takeNewPerson(): boolean {
  try {
    const noted = sessionStorage.getItem(PLACE) !== null
    sessionStorage.removeItem(PLACE)
    return noted
  } catch {
    return false
  }
}
