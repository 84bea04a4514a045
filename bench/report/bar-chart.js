/** Horizontal bars as SVG, readable on a light and on a dark page. */

const WIDTH = 860
const NAMES = 250
const ROW = 22
const FIGURES = 80

/** @typedef {{ name: string, value: number, kind: 'ours' | 'limit' | 'peer' }} Bar */

/**
 * @param {string} title
 * @param {{ heading: string, bars: Bar[] }[]} groups
 * @param {{ logarithmic: boolean, label(value: number): string }} scale
 */
export function drawBars(title, groups, { logarithmic, label }) {
  const values = groups.flatMap(({ bars }) => bars.map(({ value }) => value))
  /** @param {number} value */
  const transform = (value) => (logarithmic ? Math.log10(value) : value)
  const low = logarithmic ? Math.floor(transform(Math.min(...values))) : 0
  const high = transform(Math.max(...values))
  /** @param {number} value */
  const width = (value) => Math.max(2, ((transform(value) - low) / (high - low)) * (WIDTH - NAMES - FIGURES))

  const lines = []
  let y = 44
  for (const { heading, bars } of groups) {
    lines.push(`<text x="12" y="${y + 15}" class="heading">${xml(heading)}</text>`)
    y += ROW + 2
    for (const { name, value, kind } of bars) {
      const length = width(value).toFixed(1)
      lines.push(
        `<text x="${NAMES - 8}" y="${y + 15}" text-anchor="end">${xml(name)}</text>`,
        `<rect x="${NAMES}" y="${y + 3}" width="${length}" height="${ROW - 6}" rx="2" class="${kind}"/>`,
        `<text x="${(NAMES + Number(length) + 6).toFixed(1)}" y="${y + 15}">${label(value)}</text>`,
      )
      y += ROW
    }
    y += 12
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" width="${WIDTH}" height="${y}" role="img" aria-label="${xml(title)}">
<style>
  text { font: 13px system-ui, sans-serif; fill: #24292f }
  .title { font-size: 16px; font-weight: 600 }
  .heading { font-weight: 600 }
  .ours { fill: #0a7d5a }
  .limit { fill: #8c959f }
  .peer { fill: #54aeff }
  @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } }
</style>
<text x="12" y="26" class="title">${xml(title)}</text>
${lines.join('\n')}
</svg>
`
}

/** @param {string} text */
function xml(text) {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`)
}
