import type { RunLengths, Segmentation } from './coco-types.js'

// Reference: pycocotools' maskApi.c. Masks run down columns; counts alternate, zeros first.

export interface Mask {
  readonly height: number
  readonly width: number
  readonly counts: readonly number[]
}

const MAX_PIXELS = 2 ** 32

/** Counts from COCO's string: 5 bits and a continuation bit a character, differences to the count two before. */
export function decodeCounts(text: string): number[] {
  const counts: number[] = []
  for (let at = 0; at < text.length; ) {
    let [value, shift, more] = [0, 0, true]
    while (more) {
      const code = text.charCodeAt(at++) - 48
      if (!(code >= 0 && code < 64) || shift > 30)
        throw new RangeError(`run lengths: unexpected character at ${at - 1}`)
      value |= (code & 31) << shift
      more = (code & 32) !== 0
      shift += 5
      if (!more && code & 16 && shift < 32) value |= -1 << shift
    }
    counts.push(counts.length > 2 ? value + counts[counts.length - 2] : value)
  }
  return counts
}

/** COCO's string of counts. */
export function encodeCounts(counts: readonly number[]): string {
  let text = ''
  for (const [i, count] of counts.entries()) {
    let value = i > 2 ? count - counts[i - 2] : count
    for (let more = true; more; ) {
      const bits = value & 31
      value >>= 5
      more = bits & 16 ? value !== -1 : value !== 0
      text += String.fromCharCode((more ? bits | 32 : bits) + 48)
    }
  }
  return text
}

function fromRunLengths({ size, counts }: RunLengths): Mask {
  const [height, width] = size
  const list = typeof counts === 'string' ? decodeCounts(counts) : counts
  const pixels = list.reduce((sum, count) => sum + (count >= 0 ? count : Number.NaN), 0)
  if (pixels !== height * width)
    throw new RangeError(`run lengths cover ${pixels} pixels, expected ${height} x ${width}`)
  return { height, width, counts: list }
}

const SCALE = 5

/** Points along the edges of a polygon, five to a pixel. */
function boundary(polygon: readonly number[]): [number[], number[]] {
  const k = polygon.length >> 1
  const scaled = (offset: number): number[] =>
    Array.from({ length: k + 1 }, (_, j) => Math.trunc(SCALE * polygon[(j % k) * 2 + offset] + 0.5))
  const [x, y] = [scaled(0), scaled(1)]
  const [u, v]: number[][] = [[], []]
  for (let j = 0; j < k; j++) {
    let [xs, xe, ys, ye] = [x[j], x[j + 1], y[j], y[j + 1]]
    const [dx, dy] = [Math.abs(xe - xs), Math.abs(ys - ye)]
    const flip = (dx >= dy && xs > xe) || (dx < dy && ys > ye)
    if (flip) [xs, xe, ys, ye] = [xe, xs, ye, ys]
    const slope = dx >= dy ? (ye - ys) / dx : (xe - xs) / dy
    const length = Math.max(dx, dy)
    for (let d = 0; d <= length; d++) {
      const t = flip ? length - d : d
      u.push(dx >= dy ? t + xs : Math.trunc(xs + slope * t + 0.5))
      v.push(dx >= dy ? Math.trunc(ys + (dx === 0 ? 0 : slope * t) + 0.5) : t + ys)
    }
  }
  return [u, v]
}

/** Where columns are crossed, as offsets into the mask. */
function crossings(polygon: readonly number[], height: number, width: number): number[] {
  const [u, v] = boundary(polygon)
  const offsets: number[] = []
  for (let j = 1; j < u.length; j++) {
    if (u[j] === u[j - 1]) continue
    const x = ((u[j] < u[j - 1] ? u[j] : u[j] - 1) + 0.5) / SCALE - 0.5
    if (Math.floor(x) !== x || x < 0 || x > width - 1) continue
    const y = (Math.min(v[j], v[j - 1]) + 0.5) / SCALE - 0.5
    offsets.push(x * height + Math.ceil(Math.min(Math.max(y, 0), height)))
  }
  return offsets
}

/** Mask of a polygon of x, y pairs. */
export function polygonMask(polygon: readonly number[], height: number, width: number): Mask {
  if (polygon.length < 6 || polygon.length % 2 !== 0)
    throw new RangeError(`a polygon needs at least 3 pairs of x and y, got ${polygon.length} numbers`)
  const reach = (height + width) * 1000
  if (polygon.some((value) => !(Math.abs(value) <= reach))) throw new RangeError('a polygon lies far outside its image')
  const ends = [...crossings(polygon, height, width), height * width].sort((a, b) => a - b)
  const runs = ends.map((end, i) => end - (ends[i - 1] ?? 0))
  const counts = [runs[0]]
  // A run of no pixels joins its neighbours.
  for (let j = 1; j < runs.length; ) {
    if (runs[j] > 0) counts.push(runs[j++])
    else {
      j++
      if (j < runs.length) counts[counts.length - 1] += runs[j++]
    }
  }
  return { height, width, counts }
}

/** Visits the runs of two masks on which both are constant. */
function overlay(a: Mask, b: Mask, visit: (length: number, inA: boolean, inB: boolean) => void): void {
  if (a.height !== b.height || a.width !== b.width)
    throw new RangeError(`masks of ${a.height} x ${a.width} and ${b.height} x ${b.width} do not match`)
  let [i, j, left, right, inA, inB] = [0, 0, a.counts[0] ?? 0, b.counts[0] ?? 0, false, false]
  while (i < a.counts.length && j < b.counts.length) {
    const length = Math.min(left, right)
    if (length > 0) visit(length, inA, inB)
    left -= length
    right -= length
    if (left === 0) {
      left = a.counts[++i] ?? 0
      inA = !inA
    }
    if (right === 0) {
      right = b.counts[++j] ?? 0
      inB = !inB
    }
  }
}

/** Pixels that any of the masks covers. */
export function unionMask(masks: readonly Mask[]): Mask {
  return masks.reduce((a, b) => {
    const counts: number[] = [0]
    let value = false
    overlay(a, b, (length, inA, inB) => {
      if ((inA || inB) !== value) {
        value = !value
        counts.push(0)
      }
      counts[counts.length - 1] += length
    })
    return { height: a.height, width: a.width, counts }
  })
}

/** In pixels. */
export const maskArea = (mask: Mask): number =>
  mask.counts.reduce((sum, count, i) => sum + (i % 2 === 1 ? count : 0), 0)

/** Intersection over union; over the first mask's area where the second is a crowd. */
export function maskIou(mask: Mask, other: Mask, crowd: boolean): number {
  let [both, any] = [0, 0]
  overlay(mask, other, (length, inA, inB) => {
    if (inA && inB) both += length
    if (inA || inB) any += length
  })
  const whole = crowd ? maskArea(mask) : any
  return both === 0 ? 0 : both / whole
}

/** Smallest box around a mask: x, y, width, height. */
export function maskBox({ height, counts }: Mask): [number, number, number, number] {
  let [x0, x1, y0, y1, at] = [Number.POSITIVE_INFINITY, -1, height, -1, 0]
  for (const [i, count] of counts.entries()) {
    if (i % 2 === 1 && count > 0) {
      const [first, last] = [at, at + count - 1]
      const [left, right] = [Math.floor(first / height), Math.floor(last / height)]
      x0 = Math.min(x0, left)
      x1 = Math.max(x1, right)
      y0 = Math.min(y0, left < right ? 0 : first % height)
      y1 = Math.max(y1, left < right ? height - 1 : last % height)
    }
    at += count
  }
  return x1 < 0 ? [0, 0, 0, 0] : [x0, y0, x1 - x0 + 1, y1 - y0 + 1]
}

/** A mask from COCO's fields. @throws RangeError where it does not fit, or the size of polygons' image is not given. */
export function maskOf(segmentation: Segmentation, height?: number, width?: number): Mask {
  if ('counts' in segmentation) return fromRunLengths(segmentation)
  if (!height || !width || height * width >= MAX_PIXELS)
    throw new RangeError(`polygons need the height and width of their image, got ${height} x ${width}`)
  if (segmentation.length === 0) return { height, width, counts: [height * width] }
  return unionMask(segmentation.map((polygon) => polygonMask(polygon, height, width)))
}
