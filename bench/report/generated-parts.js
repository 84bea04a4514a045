/**
 * Pages are written by hand; tables in them stand between markers and are written from bench/results:
 *
 *     <!-- begin results: cached key -->
 *     <!-- end results -->
 *
 * What is written there is measured values, the machine, the date and the command, and no prose.
 */

/** @import { Circumstances } from '../shared/types.d.ts' */

const PART = /(<!-- begin results: (.*?) -->\n)[\s\S]*?(<!-- end results -->)/g

/**
 * @param {string} page Markdown
 * @param {Record<string, string>} parts by name
 * @returns {string} the page with these parts written anew
 * @throws {Error} when the page has no place for one of them
 */
export function fillIn(page, parts) {
  const missing = new Set(Object.keys(parts))
  const filled = page.replace(PART, (all, begin, name, end) => {
    if (!missing.delete(name)) return all
    return `${begin}\n${parts[name]}\n\n${end}`
  })
  if (missing.size > 0) throw new Error(`the page has no markers for: ${[...missing].join('; ')}`)
  return filled
}

/**
 * @param {string} command
 * @param {Circumstances} result
 */
export function circumstancesOf(command, { date, node, machine, version, commit }) {
  return `\`${command}\`, ${date}, version ${version} (${commit}), Node ${node.slice(1)}, ${machine}`
}

/**
 * A Markdown table.
 *
 * @param {string[]} head
 * @param {(string | number)[][]} rows
 * @param {string} align of all columns but the first
 */
export function table(head, rows, align = '---:') {
  /** @param {(string | number)[]} cells */
  const line = (cells) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map((_, i) => (i === 0 ? '---' : align))), ...rows.map(line)].join('\n')
}

/**
 * With a space between thousands.
 *
 * @param {number} number
 */
export function grouped(number) {
  return number.toLocaleString('en').replaceAll(',', ' ')
}
