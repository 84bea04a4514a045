import { sqliteKeyStore } from '../src/stores/sqlite.js'

// Another process on the same file: it looks before each of its (imagined) requests, and tells its parent what it heard.
const [path = ''] = process.argv.slice(2)
const store = sqliteKeyStore({ path })
const feed = store.watch?.((change) => {
  process.send?.({ change, at: performance.timeOrigin + performance.now() })
})
feed?.poll?.()
process.send?.({ state: feed?.state })
setInterval(() => feed?.poll?.(), 1)
process.on('disconnect', () => process.exit())
