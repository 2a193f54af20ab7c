import type { KernelSpan, Profile } from './profile.js'
import { COLOURS, escapeXml } from './svg.js'

const KERNEL_COLOURS = [...COLOURS, '#f0e442']
const OTHER = '#999999'
const WIDTH = 1200
const [ROW, GAP, LEFT, TOP] = [28, 6, 160, 56]

/** Narrower boxes than this are left out: nothing would be seen of them. */
const LEAST_WIDTH = 0.25

function coloursOf(spans: readonly KernelSpan[]): Map<string, string> {
  const time = new Map<string, number>()
  for (const { kernel, duration } of spans) time.set(kernel, (time.get(kernel) ?? 0) + duration)
  const longest = [...time].sort((a, b) => b[1] - a[1]).map(([kernel]) => kernel)
  return new Map(longest.map((kernel, i) => [kernel, KERNEL_COLOURS[i] ?? OTHER]))
}

function legend(colours: ReadonlyMap<string, string>): string {
  const shown = [...colours].filter(([, colour]) => colour !== OTHER)
  return shown
    .map(([kernel, colour], i) => {
      const x = LEFT + i * 140
      return `<rect x="${x}" y="20" width="12" height="12" fill="${colour}"/><text x="${x + 16}" y="30">${escapeXml(kernel)}</text>`
    })
    .join('')
}

/** A timeline of the profile: a row for each traced function, a box for each kernel, as an SVG document. */
export function profileSvg({ spans }: Profile): string {
  const programs = [...new Set(spans.map(({ program }) => program))]
  const colours = coloursOf(spans)
  const end = spans.reduce((latest, { start, duration }) => Math.max(latest, start + duration), 1)
  const scale = (WIDTH - LEFT - 16) / end
  const rowAt = (program: string): number => TOP + programs.indexOf(program) * (ROW + GAP)
  const boxes = spans
    .filter(({ duration }) => duration * scale >= LEAST_WIDTH)
    .map(({ program, kernel, shapes, start, duration }) => {
      const title = `${kernel} ${shapes}: ${duration.toFixed(1)} us`
      const box = `x="${(LEFT + start * scale).toFixed(2)}" y="${rowAt(program)}" width="${(duration * scale).toFixed(2)}" height="${ROW}"`
      return `<rect ${box} fill="${colours.get(kernel) ?? OTHER}"><title>${escapeXml(title)}</title></rect>`
    })
  const names = programs.map(
    (name) => `<text x="8" y="${rowAt(name) + ROW / 2 + 4}">${escapeXml(name.slice(0, 24))}</text>`,
  )
  const height = TOP + programs.length * (ROW + GAP) + 28
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="100%" height="100%" fill="#ffffff"/>`,
    legend(colours),
    ...names,
    ...boxes,
    `<text x="${LEFT}" y="${height - 8}">0</text><text x="${WIDTH - 16}" y="${height - 8}" text-anchor="end">${(end / 1e3).toFixed(2)} ms</text>`,
    '</svg>',
  ].join('\n')
}
