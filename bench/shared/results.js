/** Results are kept in bench/results, one JSON file for each benchmark; pages are written from them alone. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, totalmem } from 'node:os'
import { join } from 'node:path'
import { SOURCES } from './sources.js'

/** @import { Circumstances, Results } from './types.d.ts' */

const FOLDER = join(import.meta.dirname, '../results')
const ROOT = join(import.meta.dirname, '../..')

/** @returns {Circumstances} where and when a result is taken */
function circumstances() {
  return {
    version: JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).version,
    commit: commit(),
    date: new Date().toISOString().slice(0, 10),
    node: process.version,
    machine: `${cpus()[0]?.model.trim()}, ${availableParallelism()} cores, ${Math.round(totalmem() / 2 ** 30)} GiB, ${process.platform} ${process.arch}`,
  }
}

/** With a `+` where the measured sources have changes that are not committed. */
function commit() {
  /** @param {string[]} args */
  const git = (...args) => execFileSync('git', args, { cwd: ROOT, encoding: 'utf8' }).trim()
  try {
    return git('rev-parse', '--short', 'HEAD') + (git('status', '--porcelain', '--', ...SOURCES) && '+')
  } catch {
    return 'unknown'
  }
}

/**
 * @template {keyof Results} Name
 * @param {Name} name
 * @param {Results[Name]} results
 * @param {object} [more] what else belongs to how they were taken
 */
export function saveResult(name, results, more) {
  mkdirSync(FOLDER, { recursive: true })
  const result = { ...circumstances(), ...more, results }
  writeFileSync(join(FOLDER, `${name}.json`), `${JSON.stringify(result, fourDigits, 2)}\n`)
}

/**
 * @template {keyof Results} Name
 * @param {Name} name
 * @returns {Circumstances & { results: Results[Name] } | undefined} `undefined` when there is none yet
 */
export function loadResult(name) {
  const file = join(FOLDER, `${name}.json`)
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined
}

/** @type {(key: string, value: unknown) => unknown} */
function fourDigits(_, value) {
  return typeof value === 'number' ? Number(value.toPrecision(4)) : value
}
