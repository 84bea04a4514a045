import { createKeyring } from '../src/keyring/keyring.js'
import type { KeyRecord } from '../src/keyring/records.js'
import { openKeyStore } from '../src/store/open.js'

const DAY_MS = 86_400_000
const TENANT = 'acme'

/**
 * Puts keys into the store that are months old, with uses, so that there is something to see in the console. They are of
 * one tenant; the other shows how it begins. Their names say what they are, and nobody has them. The audit trail has the
 * instant at which the store itself wrote them: today.
 */
export async function addSampleKeys(url: string): Promise<void> {
  const store = openKeyStore(url)
  const now = Date.now()
  const daysAgo = (days: number) => createKeyring(store, { clock: () => now - days * DAY_MS })
  /** @param count of uses on each of the days from `first` ago to `last` ago */
  const use = ({ id }: KeyRecord, first: number, last: number, count: (day: number) => number) => {
    const days = Array.from({ length: first - last + 1 }, (_, index) => first - index)
    return store.addUsage(
      days.map((day) => {
        const lastUsedAt = now - day * DAY_MS - 60_000
        return { id, day: new Date(lastUsedAt).toISOString().slice(0, 10), count: count(day), lastUsedAt }
      }),
    )
  }
  try {
    const nightly = await daysAgo(200).create({
      name: 'Sample: nightly simulation',
      subject: 'simulations',
      tenant: TENANT,
      scopes: ['jobs:read', 'jobs:write', 'storage:write'],
      actor: 'ada',
    })
    await use(nightly.record, 60, 0, (day) => 40 + ((day * 7) % 23))

    const export_ = await daysAgo(300).create({
      name: 'Sample: export of last year',
      subject: 'reports',
      tenant: TENANT,
      scopes: ['storage:read'],
      actor: 'ada',
    })
    await use(export_.record, 150, 120, () => 3)

    const partner = await daysAgo(78).create({
      name: 'Sample: trial of a partner',
      subject: 'partner',
      tenant: TENANT,
      scopes: ['jobs:read', 'clusters:read'],
      expiresIn: '90d',
      actor: 'ada',
    })
    await use(partner.record, 20, 2, (day) => (day % 7 < 2 ? 0 : 12 - (day % 5)))

    const leaver = await daysAgo(140).create({
      name: 'Sample: laptop of a leaver',
      subject: 'eve',
      tenant: TENANT,
      scopes: ['teams:read'],
      actor: 'eve',
    })
    await use(leaver.record, 40, 21, (day) => 1 + (day % 4))
    await daysAgo(20).revoke(leaver.record.id, { reason: 'left the company', actor: 'ada' })

    const monitor = await daysAgo(340).create({
      name: 'Sample: cluster monitor',
      subject: 'monitoring',
      tenant: TENANT,
      scopes: ['clusters:read'],
      actor: 'ada',
    })
    await use(monitor.record, 60, 1, () => 288)
    const { record: successor } = await daysAgo(0.5).rotate(monitor.record.id, { overlap: '3d', actor: 'ada' })
    // Both are used: one of its programs still has the old one.
    await use(monitor.record, 0, 0, () => 24)
    await use(successor, 0, 0, () => 120)
  } finally {
    await store.close()
  }
}
