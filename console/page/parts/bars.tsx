import type { JSX } from 'preact'
import { texts } from '../texts.js'
import { axisEnd, type DayCount, sparkPath } from './series.js'

const STEP = 3
const HEIGHT = 20

/** Uses on each of the last days, small enough for a row of a table. One path, since a page has a hundred of them. */
export function Sparkline({ values }: { readonly values: readonly number[] }): JSX.Element {
  const total = values.reduce((sum, value) => sum + value, 0)
  const width = values.length * STEP
  return (
    <svg
      class="spark"
      viewBox={`0 0 ${width} ${HEIGHT}`}
      role="img"
      aria-label={texts.bars.sparkline(total, values.length)}
    >
      <path class="spark-ground" d={`M0 ${HEIGHT - 0.5}H${width}`} />
      <path class="spark-bars" d={sparkPath(values, STEP, HEIGHT)} />
    </svg>
  )
}

/** Uses by day, as bars and as a table of the same numbers. */
export function UsageChart(props: { readonly days: readonly DayCount[]; readonly title: string }): JSX.Element {
  const { days, title } = props
  const end = axisEnd(Math.max(...days.map(({ count }) => count)))
  const used = days.filter(({ count }) => count > 0).toReversed()
  return (
    <figure class="usage">
      <figcaption class="visually-hidden">{title}</figcaption>
      <div class="chart" aria-hidden="true">
        <div class="chart-axis">
          <span>{texts.bars.count(end)}</span>
          <span>{texts.bars.count(end / 2)}</span>
          <span>0</span>
        </div>
        {/* biome-ignore lint/a11y/noSvgWithoutTitle: the table has the same numbers */}
        <svg viewBox={`0 0 ${days.length} 100`} preserveAspectRatio="none">
          <path class="chart-grid" d={`M0 0H${days.length}M0 50H${days.length}M0 100H${days.length}`} />
          {days.map(({ day, count }, index) => (
            <g key={day}>
              <title>{texts.bars.day(day, count)}</title>
              <rect class="chart-day" x={index} y="0" width="1" height="100" />
              {count > 0 && <Bar index={index} height={Math.max((count / end) * 100, 1.5)} />}
            </g>
          ))}
        </svg>
        <div class="chart-days">
          <span>{texts.bars.tick(days[0]?.day)}</span>
          <span>{texts.bars.tick(days[days.length >> 1]?.day)}</span>
          <span>{texts.bars.tick(days.at(-1)?.day)}</span>
        </div>
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
      <section class="chart-numbers" tabIndex={0} aria-label={title}>
        <table aria-label={title}>
          <thead>
            <tr>
              <th scope="col">{texts.bars.dayColumn}</th>
              <th scope="col" class="number">
                {texts.bars.usesColumn}
              </th>
            </tr>
          </thead>
          <tbody>
            {used.map(({ day, count }) => (
              <tr key={day}>
                <th scope="row">{texts.bars.date(day)}</th>
                <td class="number">{texts.bars.count(count)}</td>
              </tr>
            ))}
          </tbody>
        </table>
        {used.length === 0 ? <p>{texts.bars.unused}</p> : <p>{texts.bars.leftOut}</p>}
      </section>
    </figure>
  )
}

function Bar({ index, height }: { readonly index: number; readonly height: number }): JSX.Element {
  return <rect class="chart-bar" x={index + 0.14} y={100 - height} width="0.72" height={height} />
}
