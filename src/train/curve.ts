import { COLOURS, escapeXml } from '../runtime/svg.js'
import type { History } from './history.js'

const WIDTH = 640
const HEIGHT = 360
const MARGIN = { left: 64, right: 16, top: 32, bottom: 44 }

interface Series {
  readonly name: string
  readonly points: readonly (readonly [epoch: number, value: number])[]
}

function seriesOf(history: History, names: readonly string[]): Series[] {
  return names.flatMap((name) => {
    const values = history.history[name] ?? []
    const points = values.flatMap((value, i) =>
      Number.isFinite(value) ? [[history.epoch[i] + 1, value] as const] : [],
    )
    return points.length > 0 ? [{ name, points }] : []
  })
}

/** Round numbers that cover [low, high]. */
export function ticks(low: number, high: number, count: number): number[] {
  const span = high - low || Math.abs(high) || 1
  const raw = span / count
  const power = 10 ** Math.floor(Math.log10(raw))
  const step = ([1, 2, 5, 10].find((factor) => factor * power >= raw) ?? 10) * power
  const first = Math.ceil(low / step - 1e-9) * step
  const list: number[] = []
  for (let value = first; value <= high + step * 1e-9; value += step)
    list.push(Math.abs(value) < step * 1e-9 ? 0 : value)
  return list
}

const label = (value: number): string => String(Number(value.toPrecision(4)))

interface Frame {
  readonly x: (epoch: number) => number
  readonly y: (value: number) => number
  readonly xs: readonly number[]
  readonly ys: readonly number[]
}

function frameFor(series: readonly Series[]): Frame {
  const all = series.flatMap(({ points }) => points)
  const epochs = all.map(([epoch]) => epoch)
  const values = all.map(([, value]) => value)
  const [left, right] = [Math.min(...epochs), Math.max(...epochs)]
  let [low, high] = [Math.min(...values), Math.max(...values)]
  const slack = (high - low) * 0.05 || Math.abs(high) * 0.05 || 1
  low -= slack
  high += slack
  return {
    x: (epoch) => MARGIN.left + ((WIDTH - MARGIN.left - MARGIN.right) * (epoch - left)) / (right - left || 1),
    y: (value) => HEIGHT - MARGIN.bottom - ((HEIGHT - MARGIN.top - MARGIN.bottom) * (value - low)) / (high - low),
    xs: ticks(left, right, 8).filter(Number.isInteger),
    ys: ticks(low, high, 5),
  }
}

/** Training curves as a standalone SVG picture: one line for each name in `names` (default: loss and val_loss). */
export function curveSvg(history: History, names: readonly string[] = ['loss', 'val_loss']): string {
  const series = seriesOf(history, names)
  if (series.length === 0)
    throw new RangeError(
      `there is nothing to draw: the history holds ${Object.keys(history.history).join(', ') || 'nothing'}`,
    )
  const { x, y, xs, ys } = frameFor(series)
  const grid = ys.map(
    (value) =>
      `<line x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${y(value).toFixed(1)}" y2="${y(value).toFixed(1)}" stroke="#ddd"/>` +
      `<text x="${MARGIN.left - 8}" y="${(y(value) + 4).toFixed(1)}" text-anchor="end">${label(value)}</text>`,
  )
  const axis = xs.map(
    (epoch) =>
      `<text x="${x(epoch).toFixed(1)}" y="${HEIGHT - MARGIN.bottom + 18}" text-anchor="middle">${epoch}</text>`,
  )
  const lines = series.map(({ name, points }, i) => {
    const colour = COLOURS[i % COLOURS.length]
    const path = points.map(([epoch, value]) => `${x(epoch).toFixed(1)},${y(value).toFixed(1)}`).join(' ')
    const dots =
      points.length <= 40
        ? points
            .map(
              ([epoch, value]) =>
                `<circle cx="${x(epoch).toFixed(1)}" cy="${y(value).toFixed(1)}" r="2.5" fill="${colour}"/>`,
            )
            .join('')
        : ''
    return `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>${dots}<text x="${MARGIN.left + 8 + i * 140}" y="20" fill="${colour}">${escapeXml(name)}</text>`
  })
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="white"/>`,
    ...grid,
    ...axis,
    `<text x="${(MARGIN.left + WIDTH - MARGIN.right) / 2}" y="${HEIGHT - 8}" text-anchor="middle">epoch</text>`,
    ...lines,
    '</svg>',
  ].join('\n')
}

const DOTS = [
  [0x01, 0x08],
  [0x02, 0x10],
  [0x04, 0x20],
  [0x40, 0x80],
]

/** Training curves as text: a Braille plot of `width` by `height` characters for each name. */
export function curveText(
  history: History,
  names: readonly string[] = ['loss', 'val_loss'],
  { width = 60, height = 8 } = {},
): string {
  const blocks = seriesOf(history, names).map(({ name, points }) => {
    const values = points.map(([, value]) => value)
    const [low, high] = [Math.min(...values), Math.max(...values)]
    const cells = Array.from({ length: height }, () => new Uint8Array(width))
    const columns = width * 2
    for (let column = 0; column < columns; column++) {
      const at = (column / Math.max(1, columns - 1)) * (points.length - 1)
      const [i, fraction] = [Math.floor(at), at - Math.floor(at)]
      const value = points[i][1] + ((points[i + 1] ?? points[i])[1] - points[i][1]) * fraction
      const row = Math.round(((high - value) / (high - low || 1)) * (height * 4 - 1))
      cells[row >> 2][column >> 1] |= DOTS[row & 3][column & 1]
    }
    const scale = [label(high), label(low)]
    const pad = Math.max(...scale.map((text) => text.length))
    const rows = cells.map((row, i) => {
      const left = i === 0 ? scale[0] : i === height - 1 ? scale[1] : ''
      return `${left.padStart(pad)} │${String.fromCodePoint(...[...row].map((dots) => 0x2800 + dots))}`
    })
    return [
      `${name}: ${label(points[0][1])} → ${label(points[points.length - 1][1])} over ${points.length} epochs`,
      ...rows,
    ].join('\n')
  })
  return blocks.join('\n')
}
