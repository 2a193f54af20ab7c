/** Disjoint parts of a data set. */
import { Dataset } from './dataset.js'
import { permutation } from './rng.js'
import { Breather } from './schedule.js'
import { reorder } from './shuffle.js'
import { DataError, type RowView, rowSource } from './source.js'

/** The 32-bit FNV-1a hash of bytes, or of a text's UTF-8 bytes. Source: draft-eastlake-fnv. */
export function fnv1a32(data: string | Uint8Array): number {
  const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : data
  let hash = 0x811c9dc5
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193)
  return hash >>> 0
}

/**
 * The rows to divide. Always those of epoch 0: a data set that is shuffled anew each epoch would move rows from one part
 * to the other, and training would see the test rows.
 */
function rowsOf<T>(dataset: Dataset<T>, name: string): RowView<T> {
  const view = dataset.source.rows?.(0)
  if (view === undefined) {
    throw new DataError(`${name} needs rows reachable by index: read the data into memory with load() first`)
  }
  return view
}

const subset = <T>(view: RowView<T>, indices: Uint32Array): Dataset<T> => {
  const rows = reorder(view, indices)
  return new Dataset(rowSource(indices.length, () => rows))
}

export interface SplitOptions {
  /** Rows are drawn at random, the same for the same seed. Left out, the parts follow each other in order. */
  seed?: number
}

/**
 * Divides rows by fractions that sum up to at most 1, in the order of the names:
 * `split(data, { train: 0.9, validation: 0.1 })`.
 * @throws DataError where a part would be empty
 */
export function split<T, K extends string>(
  dataset: Dataset<T>,
  fractions: Readonly<Record<K, number>>,
  options: SplitOptions = {},
): Record<K, Dataset<T>> {
  const view = rowsOf(dataset, 'split')
  const names = Object.keys(fractions) as K[]
  const total = names.reduce((sum, name) => sum + fractions[name], 0)
  if (names.some((name) => !(fractions[name] > 0)) || total > 1 + 1e-9) {
    throw new TypeError(`split: expected positive fractions that sum up to at most 1, got ${JSON.stringify(fractions)}`)
  }
  const order =
    options.seed === undefined
      ? Uint32Array.from({ length: view.length }, (_, i) => i)
      : permutation(view.length, options.seed)
  let sum = 0
  const parts = names.map((name): [K, Dataset<T>] => {
    const start = Math.round(sum * view.length)
    sum += fractions[name]
    const end = Math.round(Math.min(1, sum) * view.length)
    if (start === end)
      throw new DataError(`split: part "${name}" (${fractions[name]}) of ${view.length} rows would be empty`)
    return [name, subset(view, order.slice(start, end))]
  })
  return Object.fromEntries(parts) as Record<K, Dataset<T>>
}

export interface HashSplitOptions<K extends string> {
  /** Number of buckets that hashes fall into. */
  buckets: number
  /** Buckets of each part. One part may be `'rest'`. */
  parts: Readonly<Record<K, number | readonly number[] | 'rest'>>
  signal?: AbortSignal
}

/**
 * Divides rows by a hash of their key (FNV-1a-32 of its UTF-8 bytes, modulo `buckets`): a row stays in its part whatever
 * rows are added, and equal keys never come apart.
 */
export async function splitByHash<T, K extends string>(
  dataset: Dataset<T>,
  key: (row: T) => string | Uint8Array,
  options: HashSplitOptions<K>,
): Promise<Record<K, Dataset<T>>> {
  const view = rowsOf(dataset, 'splitByHash')
  const partOf = partOfBucket(options)
  const indices = new Map<K, number[]>((Object.keys(options.parts) as K[]).map((name) => [name, []]))
  const breather = new Breather()
  for (let row = 0; row < view.length; row++) {
    await breather.pause()
    options.signal?.throwIfAborted()
    const part = partOf[fnv1a32(key(await view.at(row))) % options.buckets]
    if (part !== undefined) indices.get(part)?.push(row)
  }
  return Object.fromEntries([...indices].map(([name, rows]) => [name, subset(view, Uint32Array.from(rows))])) as Record<
    K,
    Dataset<T>
  >
}

/** The part that each bucket belongs to. */
function partOfBucket<K extends string>({ buckets, parts }: HashSplitOptions<K>): (K | undefined)[] {
  if (!Number.isSafeInteger(buckets) || buckets < 1)
    throw new TypeError(`splitByHash: buckets should be a positive integer, got ${buckets}`)
  const partOf = new Array<K | undefined>(buckets).fill(undefined)
  let rest: K | undefined
  for (const name of Object.keys(parts) as K[]) {
    const own: number | readonly number[] | 'rest' = parts[name]
    if (own === 'rest') {
      if (rest !== undefined) throw new TypeError(`splitByHash: both "${rest}" and "${name}" take the rest`)
      rest = name
      continue
    }
    for (const bucket of typeof own === 'number' ? [own] : own) {
      if (!Number.isSafeInteger(bucket) || bucket < 0 || bucket >= buckets) {
        throw new TypeError(`splitByHash: part "${name}": expected buckets of 0 to ${buckets - 1}, got ${bucket}`)
      }
      if (partOf[bucket] !== undefined)
        throw new TypeError(`splitByHash: bucket ${bucket} is in "${partOf[bucket]}" and "${name}"`)
      partOf[bucket] = name
    }
  }
  return partOf.map((part) => part ?? rest)
}
