import { beforeEach, expect, test, vi } from 'vitest'

/** The modules as a second build of the package has them: with state of its own. */
async function anotherBuild() {
  vi.resetModules()
  const { isFirst } = await import('../../src/core/of-process.js')
  const { warnOnce } = await import('../../src/core/process-warning.js')
  return { isFirst, warnOnce }
}

beforeEach(() => {
  // What other tests of this process have said does not count.
  delete (globalThis as Record<symbol, unknown>)[Symbol.for('vantage-auth.said')]
})

test('what one build has said, the other does not say again', async () => {
  const esm = await anotherBuild()
  const commonjs = await anotherBuild()
  expect(commonjs.isFirst).not.toBe(esm.isFirst)
  expect([esm.isFirst('a'), commonjs.isFirst('a'), commonjs.isFirst('b'), esm.isFirst('b')]).toEqual([
    true,
    false,
    true,
    false,
  ])
})

test('a warning comes once for each code, from both builds together', async () => {
  const warn = vi.spyOn(process, 'emitWarning').mockReturnValue()
  try {
    for (const { warnOnce } of [await anotherBuild(), await anotherBuild()]) {
      warnOnce('VANTAGE_FEED_POLLING', 'text')
      warnOnce('VANTAGE_FEED_TRIGGERS', 'text')
    }
    expect(warn.mock.calls.map(([, options]) => (options as { code: string }).code)).toEqual([
      'VANTAGE_FEED_POLLING',
      'VANTAGE_FEED_TRIGGERS',
    ])
  } finally {
    warn.mockRestore()
  }
})
