import { sizeOf } from '../tensor/index.js'
import type { Model } from './model.js'
import type { PartialShape } from './symbolic.js'

export interface SummaryOptions {
  /** Shows for each layer whether it trains. */
  showTrainable?: boolean
  /** Shows the layers of models inside. */
  expandNested?: boolean
  /** Width of the table in characters, at least; default 65. */
  lineLength?: number
}

const UNITS = ['B', 'KB', 'MB', 'GB', 'TB']

function bytesText(bytes: number): string {
  let size = bytes
  let unit = 0
  while (size >= 1024 && unit < UNITS.length - 1) {
    size /= 1024
    unit++
  }
  return `${size.toFixed(2)} ${UNITS[unit]}`
}

const shapeText = (shape: PartialShape | null): string =>
  shape ? `(${shape.map((extent) => extent ?? 'None').join(', ')}${shape.length === 1 ? ',' : ''})` : '?'

const thousands = (n: number): string => String(n).replace(/\B(?=(\d{3})+$)/g, ',')

interface Row {
  readonly cells: readonly string[]
}

function rowsOf(model: Model, options: SummaryOptions, connected: boolean, indent: string): Row[] {
  return model.summaryRows().flatMap(({ layer, name, shape, from }) => {
    const params = layer ? (layer.built ? thousands(layer.countParams()) : '0 (unbuilt)') : '0'
    const cells = [`${indent}${name} (${layer?.className ?? 'InputLayer'})`, shapeText(shape), params]
    if (connected) cells.push(from.length > 0 ? from.map((source) => `${source}[0][0]`).join(', ') : '-')
    if (options.showTrainable) cells.push(layer && layer.countParams() > 0 ? (layer.trainable ? 'Y' : 'N') : '-')
    const inside =
      options.expandNested && layer && isModel(layer) ? rowsOf(layer, options, connected, `${indent}  `) : []
    return [{ cells }, ...inside]
  })
}

const isModel = (layer: object): layer is Model => 'summaryRows' in layer

function frame(header: readonly string[], rows: readonly Row[], lineLength: number): string {
  const widths = header.map((title, i) => Math.max(title.length, ...rows.map(({ cells }) => cells[i].length)))
  const short = lineLength - widths.reduce((sum, width) => sum + width + 3, 1)
  if (short > 0) widths[0] += short
  const line = (left: string, middle: string, right: string, dash: string): string =>
    left + widths.map((width) => dash.repeat(width + 2)).join(middle) + right
  const text = (cells: readonly string[], bar: string): string => {
    const padded = cells.map((cell, i) => (i === 2 ? cell.padStart(widths[i]) : cell.padEnd(widths[i])))
    return `${bar} ${padded.join(` ${bar} `)} ${bar}`
  }
  const body = rows.map(({ cells }) => text(cells, '│')).join(`\n${line('├', '┼', '┤', '─')}\n`)
  const top = [line('┏', '┳', '┓', '━'), text(header, '┃'), line('┡', '╇', '┩', '━')]
  return [...top, ...(body ? [body] : []), line('└', '┴', '┘', '─')].join('\n')
}

const BYTES: Record<string, number> = { f64: 8, i64: 8, f32: 4, i32: 4, u32: 4, f16: 2, bf16: 2, i16: 2 }

/** The text of {@link Model.summary}. */
export function summaryText(model: Model, options: SummaryOptions): string {
  const connected = model.className === 'Functional'
  const header = ['Layer (type)', 'Output Shape', 'Param #']
  if (connected) header.push('Connected to')
  if (options.showTrainable) header.push('Trainable')
  const total = (trainable: boolean | null): string => {
    const list = model.weights.filter((weight) => trainable === null || weight.trainable === trainable)
    const count = list.reduce((sum, { shape }) => sum + sizeOf(shape), 0)
    const bytes = list.reduce((sum, { shape, dtype }) => sum + sizeOf(shape) * (BYTES[dtype] ?? 1), 0)
    return `${thousands(count)} (${bytesText(bytes)})`
  }
  return [
    `Model: "${model.name}"`,
    frame(header, rowsOf(model, options, connected, ''), options.lineLength ?? 65),
    ` Total params: ${total(null)}`,
    ` Trainable params: ${total(true)}`,
    ` Non-trainable params: ${total(false)}`,
    '',
  ].join('\n')
}
