import { beforeEach, expect, test, vi } from 'vitest'
import { storePlace, takePlace } from '../../console/page/place.js'

let kept: Map<string, string>

beforeEach(() => {
  kept = new Map()
  vi.stubGlobal('sessionStorage', {
    getItem: (name: string) => kept.get(name) ?? null,
    setItem: (name: string, value: string) => kept.set(name, value),
    removeItem: (name: string) => kept.delete(name),
  })
})

function leave(hash: string): void {
  vi.stubGlobal('location', { hash })
  storePlace()
}

test('comes back to the view that was left, once', () => {
  leave('#/keys/Cvr9ZyvaWKKY/revoke')
  expect(takePlace()).toBe('#/keys/Cvr9ZyvaWKKY/revoke')
  expect(takePlace()).toBeUndefined()
})

test('stores nothing of an address that is no view, such as a key that somebody pasted there', () => {
  leave(`#/keys/vak_live_Cvr9ZyvaWKKY${'s'.repeat(49)}`)
  expect([...kept.values()]).toEqual(['#/'])
})

test('whatever stands in storage leads to a view of this page', () => {
  kept.set('vantage-auth.console.place', 'javascript:alert(1)')
  expect(takePlace()).toBe('#/')
})
