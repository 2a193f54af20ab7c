import { tensor } from '../tensor/index.js'
import { paddedLength, padRows } from '../text/char-tokenizer.js'
import { UNK_ID } from '../text/char-vocab.js'
import { type Batch, type EpochSource, permutation } from '../train/index.js'
import { streamOf } from './random-stream.js'

export interface TextExample {
  readonly ids: Int32Array
  readonly label: number
}

export interface TextSourceOptions {
  readonly batchSize: number
  /** Null keeps the order: for evaluation. */
  readonly shuffleSeed: number | null
  /** Share of characters replaced by the unknown one. */
  readonly characterDropout: number
}

/**
 * Batches of texts of similar length. Each epoch shuffles the examples by (seed, epoch), groups them by padded length and shuffles the
 * batches, so the position in an epoch says everything that is needed to go on.
 */
export class TextSource implements EpochSource {
  readonly examples: number
  readonly batches: number
  private readonly groups: readonly (readonly number[])[]

  constructor(
    private readonly rows: readonly TextExample[],
    private readonly options: TextSourceOptions,
  ) {
    if (rows.length === 0)
      throw new RangeError('there is no data: no texts are left to train on after splitting and dropping empty ones')
    this.examples = rows.length
    const byLength = new Map<number, number[]>()
    for (const [i, { ids }] of rows.entries()) {
      const padded = paddedLength(ids.length)
      byLength.set(padded, [...(byLength.get(padded) ?? []), i])
    }
    this.groups = [...byLength].sort(([a], [b]) => a - b).map(([, list]) => list)
    this.batches = this.groups.reduce((sum, group) => sum + Math.ceil(group.length / options.batchSize), 0)
  }

  *epoch(epoch: number, start = 0): Iterable<Batch> {
    const { batchSize, shuffleSeed } = this.options
    const cuts: number[][] = []
    for (const [g, group] of this.groups.entries()) {
      const order =
        shuffleSeed === null
          ? group
          : Array.from(permutation(group.length, shuffleSeed + 7919 * g, epoch), (i) => group[i])
      for (let at = 0; at < order.length; at += batchSize) cuts.push(order.slice(at, at + batchSize))
    }
    const order =
      shuffleSeed === null ? cuts.map((_, i) => i) : Array.from(permutation(cuts.length, shuffleSeed, epoch))
    for (let i = start; i < order.length; i++) yield this.batch(cuts[order[i]], epoch)
  }

  private batch(indices: readonly number[], epoch: number): Batch {
    const rows = indices.map((index) => this.rows[index])
    const length = paddedLength(Math.max(...rows.map(({ ids }) => ids.length)))
    const data = padRows(
      rows.map(({ ids }, i) => this.noisy(ids, indices[i], epoch)),
      length,
    )
    const labels = Int32Array.from(rows, ({ label }) => label)
    return {
      x: [tensor(data, { shape: [rows.length, length] })],
      y: [tensor(labels, { shape: [rows.length] })],
      sampleWeight: null,
      size: rows.length,
    }
  }

  private noisy(ids: Int32Array, index: number, epoch: number): Int32Array {
    const { characterDropout, shuffleSeed } = this.options
    if (characterDropout === 0 || shuffleSeed === null) return ids
    const random = streamOf(shuffleSeed, index, epoch)
    return ids.map((id) => (random() < characterDropout ? UNK_ID : id))
  }
}
