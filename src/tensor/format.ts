import { type DType, fromBf16, fromF16, type Shape, sizeOf, stridesOf, type TypedArray } from '../ir/index.js'

const EDGE = 3
const THRESHOLD = 1000

function reader(dtype: DType, array: TypedArray): (i: number) => number | bigint | boolean {
  if (dtype === 'f16') return (i) => fromF16(Number(array[i]))
  if (dtype === 'bf16') return (i) => fromBf16(Number(array[i]))
  if (dtype === 'bool') return (i) => array[i] !== 0
  return (i) => array[i]
}

function elementText(value: number | bigint | boolean, isFloat: boolean): string {
  if (typeof value !== 'number' || !isFloat) return String(value)
  if (!Number.isFinite(value)) return String(value).replace('Infinity', 'inf')
  if (Number.isInteger(value) && Math.abs(value) < 1e6) return `${value}.`
  const text = Math.abs(value) >= 1e6 || Math.abs(value) < 1e-4 ? value.toExponential(4) : value.toFixed(4)
  return text
}

/** Indices shown along a dimension; -1 stands for the ellipsis. */
function shown(extent: number, summarise: boolean): number[] {
  if (!summarise || extent <= 2 * EDGE) return Array.from({ length: extent }, (_, i) => i)
  return [0, 1, 2, -1, extent - 3, extent - 2, extent - 1]
}

/** A tensor as text in the manner of numpy; `array` null means not computed yet. */
export function formatTensor(dtype: DType, shape: Shape, array: TypedArray | null): string {
  const head = `Tensor(${dtype}[${shape.join(', ')}]`
  if (!array) return `${head}, not computed yet)`
  const read = reader(dtype, array)
  const isFloat = dtype === 'f32' || dtype === 'f64' || dtype === 'f16' || dtype === 'bf16'
  if (shape.length === 0) return `${head}, ${elementText(read(0), isFloat)})`
  const strides = stridesOf(shape)
  const summarise = sizeOf(shape) > THRESHOLD
  const texts: string[] = []
  const collect = (dim: number, offset: number): void => {
    if (dim === shape.length) texts.push(elementText(read(offset), isFloat))
    else for (const i of shown(shape[dim], summarise)) if (i >= 0) collect(dim + 1, offset + i * strides[dim])
  }
  collect(0, 0)
  const width = texts.reduce((most, text) => Math.max(most, text.length), 0)
  let next = 0
  const render = (dim: number, indent: string): string => {
    if (dim === shape.length) return texts[next++].padStart(width)
    const items = shown(shape[dim], summarise).map((i) => (i < 0 ? '...' : render(dim + 1, `${indent} `)))
    const last = dim === shape.length - 1
    return `[${items.join(last ? ', ' : `,${'\n'.repeat(shape.length - 1 - dim)}${indent} `)}]`
  }
  return `${head},\n${render(0, '')})`
}
