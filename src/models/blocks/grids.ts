/**
 * Places of patches and of tokens that stand for them, in the tensors themselves, since grids are data. Shapes: I images, N patches,
 * B batch, T tokens.
 */
import {
  add,
  cat,
  clamp,
  cummax,
  cumsum,
  eq,
  floorDivide,
  ge,
  iota,
  logicalAnd,
  maximum,
  mul,
  ne,
  remainder,
  reshape,
  stack,
  sub,
  sum,
  type Tensor,
  where,
  zeros,
} from '../../tensor/index.js'

/** Rows of a table [R, W] by index, any shape: [..., W]. */
const rowsAt = (table: Tensor, index: Tensor): Tensor =>
  reshape(table.indexSelect(0, reshape(index, [-1])), [...index.shape, table.shape[1]])

/** Patches stand image by image, frame by frame, in blocks of `merge` x `merge` that later become one token. */
export interface PatchPlaces {
  /** Row and column of each patch, i32 [N] each. */
  readonly row: Tensor
  readonly column: Tensor
  /** Number of the frame of each patch, counted over all images, i32 [N]. */
  readonly frame: Tensor
}

/** `grid` is i32 [I, 3]: frames, rows and columns of each image. */
export function patchPlaces(grid: Tensor, patches: number, merge: number): PatchPlaces {
  const [frames, rows, columns] = [0, 1, 2].map((i) => grid.select(1, i))
  const ends = cumsum(mul(mul(frames, rows), columns), 0)
  const place = iota([patches], 0)
  const image = sum(ge(reshape(place, [patches, 1]), reshape(ends, [1, -1])).to('i32'), 1)
  const own = rowsAt(cat([grid, stack([ends, cumsum(frames, 0)], 1)], 1), clamp(image, 0, grid.shape[0] - 1))
  const [count, high, wide, end, frameEnd] = [0, 1, 2, 3, 4].map((i) => own.select(1, i))
  const area = mul(high, wide)
  const within = sub(place, sub(end, mul(count, area)))
  const flat = remainder(within, area)
  const strip = mul(wide, merge)
  const inStrip = remainder(flat, strip)
  const inBlock = remainder(inStrip, merge * merge)
  return {
    row: add(mul(floorDivide(flat, strip), merge), floorDivide(inBlock, merge)),
    column: add(mul(floorDivide(inStrip, merge * merge), merge), remainder(inBlock, merge)),
    frame: add(sub(frameEnd, count), floorDivide(within, area)),
  }
}

export interface TokenKinds {
  /** i32 [B, T]: 0 for text, others for what `grids` holds. */
  readonly kinds: Tensor
  /** bool [B, T]: tokens that count. */
  readonly valid: Tensor
  /** Grids i32 [I, 3] of each kind. */
  readonly grids: ReadonlyMap<number, Tensor>
  readonly merge: number
}

/**
 * Positions i32 [3, B, T] in time, height and width: text counts on in all three; an image's tokens lie on its grid, and text goes on
 * after its longer side.
 */
export function gridPositions({ kinds, valid, grids, merge }: TokenKinds): Tensor {
  const [batch, tokens] = kinds.shape
  const before = (x: Tensor, fill: Tensor): Tensor => cat([fill, x.narrow(1, 0, tokens - 1)], 1)
  const none = zeros([batch, 1], { dtype: 'i32' })
  const counted = valid.to('i32')
  const rank = sub(cumsum(counted, 1), 1)
  const last = before(where(valid, kinds, -1), sub(none, 1))
  const starts = logicalAnd(valid, ne(kinds, last))
  const offset = sub(rank, maximum(cummax(where(starts, rank, -1), 1).values, 0))

  const ones = zeros([batch, tokens], { dtype: 'i32' }).add(1)
  let grid = stack([ones, ones, ones], 2)
  for (const [kind, sizes] of grids) {
    const mine = eq(kinds, kind)
    const opened = cumsum(reshape(logicalAnd(starts, mine).to('i32'), [-1]), 0)
    const index = clamp(sub(reshape(opened, [batch, tokens]), 1), 0, sizes.shape[0] - 1)
    grid = where(reshape(mine, [batch, tokens, 1]), rowsAt(sizes, index), grid)
  }
  const high = floorDivide(grid.select(2, 1), merge)
  const wide = floorDivide(grid.select(2, 2), merge)
  const longer = maximum(high, wide)
  const text = eq(kinds, 0)
  const moves = where(logicalAnd(valid, text), 1, where(starts, longer, 0))
  const after = cumsum(moves, 1)
  const start = where(text, sub(after, moves), sub(after, longer))
  const place = where(text, 0, offset)
  // Text has a grid of no extent: its divisors are kept above 0.
  const [rows, columns] = [maximum(high, 1), maximum(wide, 1)]
  const at = [
    floorDivide(place, mul(rows, columns)),
    remainder(floorDivide(place, columns), rows),
    remainder(place, columns),
  ]
  return stack(
    at.map((axis) => where(valid, add(start, axis), 0)),
    0,
  )
}

/** Vectors [B, T, H] with those where `here` is true replaced by the rows of `news` in order. */
export function placed(vectors: Tensor, here: Tensor, news: Tensor): Tensor {
  const [batch, tokens] = here.shape
  const order = clamp(sub(cumsum(reshape(here.to('i32'), [-1]), 0), 1), 0, Math.max(news.shape[0] - 1, 0))
  const rows = reshape(rowsAt(news, order), [batch, tokens, news.shape[1]])
  return where(reshape(here, [batch, tokens, 1]), rows.to(vectors.dtype), vectors)
}
