import { render } from 'preact'
import { App } from './app.js'
import { takePlace } from './place.js'

// Back from signing in, to the view that was left for it.
const place = takePlace()
if (place !== undefined && location.hash === '') history.replaceState(null, '', place)

const page = document.getElementById('page')
if (page !== null) render(<App />, page)
