import { type OpAttrs, type ShapeDType, sizeOf } from '../ir/index.js'
import { allocateHost, asMovable, type HostArray } from './array.js'

/** Ascending order with NaN above everything; 0 for equals, so that a stable sort keeps their order. */
function compareKeys(a: number | bigint, b: number | bigint): number {
  if (a < b) return -1
  if (a > b) return 1
  if (a === b) return 0
  return (Number.isNaN(a) ? 1 : 0) - (Number.isNaN(b) ? 1 : 0)
}

/** Sorts every operand along one dimension by the first operand. */
export function evaluateSort(
  xs: readonly HostArray[],
  inputs: readonly ShapeDType[],
  { dimension, descending }: OpAttrs['sort'],
): HostArray[] {
  const { shape } = inputs[0]
  const extent = shape[dimension]
  const inner = sizeOf(shape.slice(dimension + 1))
  const outer = sizeOf(shape.slice(0, dimension))
  const outs = inputs.map((input) => asMovable(allocateHost(input.dtype, sizeOf(shape))))
  const sources = xs.map(asMovable)
  const keys = xs[0]
  const sign = descending ? -1 : 1
  const order = new Uint32Array(extent)
  for (let o = 0; o < outer; o++) {
    for (let n = 0; n < inner; n++) {
      const start = o * extent * inner + n
      for (let i = 0; i < extent; i++) order[i] = i
      order.sort((a, b) => sign * compareKeys(keys[start + a * inner], keys[start + b * inner]) || a - b)
      outs.forEach((out, k) => {
        for (let i = 0; i < extent; i++) out[start + i * inner] = sources[k][start + order[i] * inner]
      })
    }
  }
  return outs as HostArray[]
}
