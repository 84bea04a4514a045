import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { type KeyStore, memoryKeyStore, type StoredKey, type UsageIncrement } from 'vantage-auth'

/**
 * Keeps keys in a JSON file, for one process: the file is read when the store is opened, and written anew with each change.
 * A change is confirmed once it is in the file. It has the methods that every store needs, and none of the optional ones.
 */
export async function openJsonFileStore(path: string): Promise<KeyStore> {
  const { find, list, readUsage, ...memory } = memoryKeyStore()
  let written = Promise.resolve()

  if (existsSync(path)) {
    const saved = JSON.parse(readFileSync(path, 'utf8')) as { keys: StoredKey[]; usage: UsageIncrement[] }
    for (const key of saved.keys) await memory.insert(key)
    await memory.addUsage(saved.usage)
  }

  async function write(): Promise<void> {
    const keys = await list({ now: 0, limit: Number.MAX_SAFE_INTEGER })
    const usage: UsageIncrement[] = []
    for (const { id, lastUsedAt } of keys) {
      const { days } = await readUsage(id, '')
      usage.push(...days.map((use) => ({ id, ...use, lastUsedAt: lastUsedAt ?? 0 })))
    }
    // Renaming replaces the file at once: whoever reads it finds the old one or the new one, and never a half.
    writeFileSync(`${path}.new`, JSON.stringify({ keys, usage }), { mode: 0o600 })
    renameSync(`${path}.new`, path)
  }

  /** Writes one after another, also after one has failed. */
  function save(): Promise<void> {
    const writing = written.then(write)
    written = writing.catch(() => {})
    return writing
  }

  return {
    find,
    list,
    readUsage,
    insert: async (key) => {
      await memory.insert(key)
      await save()
    },
    update: async (current, next, successor) => {
      const updated = await memory.update(current, next, successor)
      if (updated) await save()
      return updated
    },
    addUsage: async (increments) => {
      await memory.addUsage(increments)
      await save()
    },
    close: async () => {
      await written
      await memory.close()
    },
  }
}
