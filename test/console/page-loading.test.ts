import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { ApiError } from '../../console/page/api.js'
import { createLoading } from '../../console/page/loading.js'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

function start() {
  const asked: {
    readonly signal: AbortSignal
    readonly resolve: (value: number) => void
    readonly reject: (reason: ApiError) => void
  }[] = []
  const told: object[] = []
  const loading = createLoading<number>(
    (signal) => new Promise((resolve, reject) => asked.push({ signal, resolve, reject })),
    (change) => told.push(change),
  )
  return { asked, told, loading }
}

/** Lets what was answered arrive, without the time going on. */
const settle = () => vi.advanceTimersByTimeAsync(0)

test('news during a load are asked for behind it, once, and the answer counts', async () => {
  const { asked, told, loading } = start()
  loading.reload()
  loading.reload()
  expect(asked).toHaveLength(1)
  asked[0]?.resolve(1)
  await settle()
  expect(told).toContainEqual({ value: 1, error: undefined, loading: false })
  expect(asked[0]?.signal.aborted).toBe(false)
  expect(asked).toHaveLength(2)
  asked[1]?.resolve(2)
  await settle()
  expect(told.at(-1)).toEqual({ value: 2, error: undefined, loading: false })
  expect(asked).toHaveLength(2)
})

test('trouble that may pass is asked about again, not before the server says', async () => {
  const { asked } = start()
  asked[0]?.reject(new ApiError('unavailable', '', 503, false, 5))
  await vi.advanceTimersByTimeAsync(4999)
  expect(asked).toHaveLength(1)
  await vi.advanceTimersByTimeAsync(1)
  expect(asked).toHaveLength(2)
})

test('a refusal is not asked about again by itself', async () => {
  const { asked } = start()
  asked[0]?.reject(new ApiError('refused', '', 404, false))
  await vi.advanceTimersByTimeAsync(120_000)
  expect(asked).toHaveLength(1)
})

test('is silent after its end', async () => {
  const { asked, told, loading } = start()
  loading.reload()
  loading.close()
  expect(asked[0]?.signal.aborted).toBe(true)
  asked[0]?.resolve(1)
  await settle()
  expect(asked).toHaveLength(1)
  expect(told).toEqual([{ loading: true }])
})
