import { permutation } from '../data/rng.js'
import type { Batch, EpochSource } from '../train/index.js'

export interface BucketOptions {
  readonly batchSize: number
  /** Null keeps the order: for evaluation. */
  readonly shuffleSeed: number | null
}

/**
 * Batches of texts of similar length. Each epoch shuffles the examples by (seed, epoch), groups them by padded length and shuffles the
 * batches, so the position in an epoch says everything that is needed to go on.
 */
export abstract class BucketedSource<R> implements EpochSource {
  readonly examples: number
  readonly batches: number
  private readonly groups: readonly (readonly [length: number, rows: readonly number[]])[]

  /** `paddedLengths`: what each row is padded to. */
  constructor(
    protected readonly rows: readonly R[],
    paddedLengths: readonly number[],
    private readonly buckets: BucketOptions,
  ) {
    if (rows.length === 0)
      throw new RangeError('there is no data: no texts are left to train on after splitting and dropping empty ones')
    this.examples = rows.length
    const byLength = new Map<number, number[]>()
    for (const [i, length] of paddedLengths.entries()) {
      const group = byLength.get(length)
      if (group) group.push(i)
      else byLength.set(length, [i])
    }
    this.groups = [...byLength].sort(([a], [b]) => a - b)
    this.batches = this.groups.reduce((sum, [, group]) => sum + Math.ceil(group.length / buckets.batchSize), 0)
  }

  /** Numbers of the rows of each batch of an epoch, and what they are padded to. */
  order(epoch: number): (readonly [length: number, rows: readonly number[]])[] {
    const { batchSize, shuffleSeed } = this.buckets
    const cuts: (readonly [length: number, rows: readonly number[]])[] = []
    for (const [g, [length, group]] of this.groups.entries()) {
      const order =
        shuffleSeed === null
          ? group
          : Array.from(permutation(group.length, shuffleSeed + 7919 * g, epoch), (i) => group[i])
      for (let at = 0; at < order.length; at += batchSize) cuts.push([length, order.slice(at, at + batchSize)])
    }
    const order =
      shuffleSeed === null ? cuts.map((_, i) => i) : Array.from(permutation(cuts.length, shuffleSeed, epoch))
    return order.map((i) => cuts[i])
  }

  *epoch(epoch: number, start = 0): Iterable<Batch> {
    for (const [length, rows] of this.order(epoch).slice(start)) yield this.batch(rows, length, epoch)
  }

  /** One batch of rows by number, padded to a length. */
  protected abstract batch(indices: readonly number[], length: number, epoch: number): Batch
}
