/** Distances between tokens as buckets, computed on the host in single precision as the references do, for tables of biases. */
import { type Tensor, tensor } from '../../tensor/index.js'

const f32 = Math.fround

export interface BucketOptions {
  readonly buckets: number
  readonly maxDistance: number
  /** Later keys have buckets of their own; else they share the first. */
  readonly bidirectional: boolean
}

/** The bucket of T5 (Raffel et al. 2020) for key place minus query place: exact up to half of them, logarithmic from there. */
export function distanceBucket(distance: number, { buckets, maxDistance, bidirectional }: BucketOptions): number {
  const half = bidirectional ? Math.trunc(buckets / 2) : buckets
  const side = bidirectional && distance > 0 ? half : 0
  const away = bidirectional ? Math.abs(distance) : Math.max(-distance, 0)
  const exact = Math.trunc(half / 2)
  if (away < exact) return side + away
  const log = f32(Math.log(f32(away / exact)))
  const scaled = f32(f32(log / f32(Math.log(maxDistance / exact))) * (half - exact))
  return side + Math.min(exact + Math.trunc(scaled), half - 1)
}

/** DeBERTa v2's: exact within half of the buckets on each side, logarithmic up to `maxDistance`. */
export function logBucket(distance: number, buckets: number, maxDistance: number): number {
  const middle = Math.trunc(buckets / 2)
  const away = Math.abs(distance) < middle ? middle - 1 : Math.abs(distance)
  if (away <= middle) return distance
  const top = f32(Math.log(f32(away / middle)))
  const bottom = f32(Math.log(f32((maxDistance - 1) / middle)))
  return Math.sign(distance) * (Math.ceil(f32(f32(top / bottom) * (middle - 1))) + middle)
}

/** i32 [queries, keys] of `entry(query, key)`. */
export function placeTable(queries: number, keys: number, entry: (query: number, key: number) => number): Tensor {
  const data = new Int32Array(queries * keys)
  for (let q = 0; q < queries; q++) for (let k = 0; k < keys; k++) data[q * keys + k] = entry(q, k)
  return tensor(data, { shape: [queries, keys] })
}
