import { matmul, movedim, type Tensor, t, table } from '../../tensor/index.js'

export type Interpolation = 'nearest' | 'bilinear'

/** Weight of each input position [in] for one output position, by its place in the input. */
type Kernel = (position: number, inputs: number, scale: number) => number[]

const nearest: Kernel = (position, inputs) => {
  const row = new Array<number>(inputs).fill(0)
  row[Math.min(Math.floor(position + 0.5), inputs - 1)] = 1
  return row
}

/** A triangle; `scale` above 1 widens it, as antialiasing needs. Positions beyond the edges count to the edge or not at all. */
const triangle: Kernel = (position, inputs, scale) => {
  const clamped = scale > 1 ? position : Math.min(Math.max(position, 0), inputs - 1)
  const row = Array.from({ length: inputs }, (_, i) => Math.max(0, 1 - Math.abs(i - clamped) / scale))
  const total = row.reduce((sum, weight) => sum + weight, 0)
  return row.map((weight) => weight / total)
}

const KERNELS: Record<Interpolation, Kernel> = { nearest, bilinear: triangle }

/** Resizes dimension `axis` to `size` positions, pixel centres aligned (half-pixel convention). */
export function resample(
  x: Tensor,
  axis: number,
  size: number,
  interpolation: Interpolation,
  antialias = false,
): Tensor {
  const inputs = x.shape[axis]
  if (inputs === size) return x
  const step = inputs / size
  const scale = antialias && interpolation !== 'nearest' ? Math.max(step, 1) : 1
  const rows = Array.from({ length: size }, (_, i) => KERNELS[interpolation]((i + 0.5) * step - 0.5, inputs, scale))
  const matrix = table(rows.flat(), [size, inputs], x.dtype)
  return movedim(matmul(movedim(x, axis, -1), t(matrix)), -1, axis)
}
