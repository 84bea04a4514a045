import { render } from 'preact'
import { App } from './app.js'
import { hasStoredDraft } from './draft.js'
import { formatRoute } from './routes.js'

// Back from signing in, in the middle of a new key.
if (hasStoredDraft() && location.hash === '') {
  history.replaceState(null, '', formatRoute({ view: 'generate' }))
}

const page = document.getElementById('page')
if (page !== null) render(<App />, page)
