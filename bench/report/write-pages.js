/** Writes docs/performance.md and docs/fleet.md from bench/results, without measuring: `node bench/report/write-pages.js`. */
import { writeFleetPage } from './fleet-page.js'
import { writePerformancePage } from './performance-page.js'

writePerformancePage()
writeFleetPage()
