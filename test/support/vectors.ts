import { readFileSync } from 'node:fs'

/** Reads a file of `test/vectors`. As JSON and not as a module: a bundler's object literal would lose `__proto__`. */
export function readVectors<T>(name: string): readonly T[] {
  return JSON.parse(readFileSync(new URL(`../vectors/${name}.json`, import.meta.url), 'utf8'))
}
