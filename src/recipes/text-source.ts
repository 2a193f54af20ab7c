import { tensor } from '../tensor/index.js'
import { PAD_ID, UNK_ID } from '../text/char-vocab.js'
import { type Batch, type EpochSource, permutation } from '../train/index.js'

export interface TextExample {
  readonly ids: Int32Array
  readonly label: number
}

export interface TextSourceOptions {
  readonly batchSize: number
  /** Lengths are padded up to a multiple of this, so that few shapes are compiled. */
  readonly lengthStep: number
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
      throw new RangeError('there is no data: no texts are left after splitting and dropping empty ones')
    this.examples = rows.length
    const byLength = new Map<number, number[]>()
    for (const [i, { ids }] of rows.entries()) {
      const padded = this.paddedLength(ids.length)
      byLength.set(padded, [...(byLength.get(padded) ?? []), i])
    }
    this.groups = [...byLength].sort(([a], [b]) => a - b).map(([, list]) => list)
    this.batches = this.groups.reduce((sum, group) => sum + Math.ceil(group.length / options.batchSize), 0)
  }

  private paddedLength(length: number): number {
    const { lengthStep } = this.options
    return Math.max(lengthStep, Math.ceil(length / lengthStep) * lengthStep)
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
    const length = this.paddedLength(Math.max(...rows.map(({ ids }) => ids.length)))
    const data = new Int32Array(rows.length * length).fill(PAD_ID)
    for (const [i, { ids }] of rows.entries()) data.set(this.noisy(ids, indices[i], epoch), i * length)
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
    // One xorshift stream for each (seed, example, epoch): resuming repeats it.
    let state =
      (Math.imul(shuffleSeed + 1, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca6b) ^ Math.imul(epoch + 1, 0xc2b2ae35)) | 1
    const limit = characterDropout * 4294967296
    return ids.map((id) => {
      state ^= state << 13
      state ^= state >>> 17
      state ^= state << 5
      return state >>> 0 < limit ? UNK_ID : id
    })
  }
}

/** Next-character windows of a text: inputs [batch, length], targets one ahead. */
export class WindowSource implements EpochSource {
  readonly examples: number
  readonly batches: number
  private readonly windows: number

  constructor(
    private readonly ids: Int32Array,
    private readonly options: {
      readonly batchSize: number
      readonly length: number
      readonly shuffleSeed: number | null
    },
  ) {
    const { length, batchSize, shuffleSeed } = options
    if (ids.length <= length)
      throw new RangeError(`the text has ${ids.length} characters, sequences need at least ${length + 1}`)
    this.windows = Math.floor((ids.length - 1) / length)
    this.examples = this.windows
    this.batches =
      shuffleSeed === null ? Math.ceil(this.windows / batchSize) : Math.max(1, Math.floor(this.windows / batchSize))
  }

  *epoch(epoch: number, start = 0): Iterable<Batch> {
    const { batchSize, length, shuffleSeed } = this.options
    const order = shuffleSeed === null ? null : permutation(this.windows, shuffleSeed, epoch)
    // Windows start at another offset each epoch, so that every character is met in every place.
    const slack = this.ids.length - 1 - this.windows * length
    const offset = order ? (permutation(slack + 1, shuffleSeed as number, epoch)[0] ?? 0) : 0
    for (let b = start; b < this.batches; b++) {
      const from = b * batchSize
      const rows = Array.from({ length: Math.min(batchSize, this.windows - from) }, (_, i) =>
        order ? order[from + i] : from + i,
      )
      yield this.batch(rows, offset)
    }
  }

  private batch(rows: readonly number[], offset: number): Batch {
    const { length } = this.options
    const x = new Int32Array(rows.length * length)
    const y = new Int32Array(rows.length * length)
    for (const [i, row] of rows.entries()) {
      const start = offset + row * length
      x.set(this.ids.subarray(start, start + length), i * length)
      y.set(this.ids.subarray(start + 1, start + length + 1), i * length)
    }
    const shape = [rows.length, length]
    return { x: [tensor(x, { shape })], y: [tensor(y, { shape })], sampleWeight: null, size: rows.length }
  }
}
