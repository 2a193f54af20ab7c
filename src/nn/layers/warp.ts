import {
  abs,
  add,
  floor,
  ge,
  iota,
  le,
  logicalAnd,
  maximum,
  minimum,
  mul,
  remainder,
  reshape,
  sub,
  type Tensor,
  take,
  where,
} from '../../tensor/index.js'

/** What stands beyond the edges: a constant, the edge, the mirrored image (edge pixels twice), or the image again. */
export type FillMode = 'constant' | 'nearest' | 'reflect' | 'wrap'
export const FILL_MODES: readonly FillMode[] = ['constant', 'nearest', 'reflect', 'wrap']

export interface WarpOptions {
  readonly fillMode: FillMode
  readonly fillValue: number
  readonly interpolation: 'nearest' | 'bilinear'
}

const clampTo = (place: Tensor, extent: number): Tensor => minimum(maximum(place, 0), extent - 1)

/** Places (f32 whole numbers) brought into 0 to extent - 1. */
const INSIDE: Record<FillMode, (place: Tensor, extent: number) => Tensor> = {
  constant: clampTo,
  nearest: clampTo,
  reflect: (place, extent) => {
    const folded = remainder(place, 2 * extent)
    return clampTo(where(ge(folded, extent), sub(2 * extent - 1, folded), folded), extent)
  },
  wrap: (place, extent) => clampTo(remainder(place, extent), extent),
}

/** Row and column of each pixel of the output, [1, height, width] each. */
export function pixelGrid(height: number, width: number): { rows: Tensor; columns: Tensor } {
  const shape = [1, height, width]
  return { rows: iota(shape, 1, 'i32').to('f32'), columns: iota(shape, 2, 'i32').to('f32') }
}

/**
 * Reads images [batch, height, width, channels] at places given for each output pixel, [batch, height', width'] (rows and columns, f32).
 */
export function warp(images: Tensor, rows: Tensor, columns: Tensor, options: WarpOptions): Tensor {
  const [batch, height, width, channels] = images.shape
  const flat = reshape(images, [batch * height * width, channels])
  const shape = rows.shape
  const first = mul(iota(shape, 0, 'i32'), height * width)
  const tap = (row: Tensor, column: Tensor): Tensor => {
    const inside = INSIDE[options.fillMode]
    const index = add(mul(inside(row, height).to('i32'), width), inside(column, width).to('i32'))
    const pixels = reshape(take(flat, reshape(add(first, index), [-1]), 0), [...shape, channels])
    if (options.fillMode !== 'constant') return pixels
    const within = (place: Tensor, extent: number): Tensor => logicalAnd(ge(place, 0), le(place, extent - 1))
    const shown = logicalAnd(within(row, height), within(column, width))
    return where(reshape(shown, [...shape, 1]), pixels, options.fillValue)
  }
  if (options.interpolation === 'nearest') return tap(floor(add(rows, 0.5)), floor(add(columns, 0.5)))
  const [top, left] = [floor(rows), floor(columns)]
  const weight = (place: Tensor, other: Tensor): Tensor =>
    reshape(sub(1, abs(sub(place, other))), [...shape, 1]).to(images.dtype)
  const taps = [0, 1].flatMap((dy) =>
    [0, 1].map((dx) => {
      const [row, column] = [add(top, dy), add(left, dx)]
      return mul(mul(tap(row, column), weight(rows, row)), weight(columns, column))
    }),
  )
  return taps.reduce((a, b) => add(a, b))
}
