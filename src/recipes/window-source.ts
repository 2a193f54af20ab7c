import { permutation } from '../data/rng.js'
import { tensor } from '../tensor/index.js'
import type { Batch, EpochSource } from '../train/index.js'

export interface WindowSourceOptions {
  readonly batchSize: number
  /** Characters of a window. */
  readonly length: number
  /** Null keeps the order and covers the whole text: for evaluation. */
  readonly shuffleSeed: number | null
}

/** Next-character windows of a text: inputs [batch, length], targets one ahead. */
export class WindowSource implements EpochSource {
  readonly examples: number
  readonly batches: number
  private readonly windows: number
  /** Characters after the last whole window. */
  private readonly rest: number

  constructor(
    private readonly ids: Int32Array,
    private readonly options: WindowSourceOptions,
  ) {
    const { length, batchSize, shuffleSeed } = options
    if (ids.length <= length)
      throw new RangeError(`the text has ${ids.length} characters, sequences of ${length} need at least ${length + 1}`)
    this.windows = Math.floor((ids.length - 1) / length)
    this.rest = ids.length - 1 - this.windows * length
    this.examples = this.windows
    this.batches =
      shuffleSeed === null
        ? Math.ceil(this.windows / batchSize) + (this.rest > 0 ? 1 : 0)
        : Math.max(1, Math.floor(this.windows / batchSize))
  }

  /** Characters that an ordered epoch predicts. */
  get characters(): number {
    return this.ids.length - 1
  }

  *epoch(epoch: number, start = 0): Iterable<Batch> {
    const { batchSize, length, shuffleSeed } = this.options
    const order = shuffleSeed === null ? null : permutation(this.windows, shuffleSeed, epoch)
    // Windows begin at another place each epoch, so that every character is met in every position.
    const offset = shuffleSeed === null ? 0 : permutation(this.rest + 1, shuffleSeed, epoch)[0]
    for (let b = start; b < this.batches; b++) {
      const from = b * batchSize
      const rows = Array.from({ length: Math.min(batchSize, this.windows - from) }, (_, i) =>
        order ? order[from + i] : from + i,
      )
      if (rows.length > 0) yield this.batch(rows, offset, length)
      else yield this.batch([this.windows], 0, this.rest)
    }
  }

  private batch(rows: readonly number[], offset: number, width: number): Batch {
    const { length } = this.options
    const x = new Int32Array(rows.length * width)
    const y = new Int32Array(rows.length * width)
    for (const [i, row] of rows.entries()) {
      const start = offset + row * length
      x.set(this.ids.subarray(start, start + width), i * width)
      y.set(this.ids.subarray(start + 1, start + width + 1), i * width)
    }
    const shape = [rows.length, width]
    // Counted in whole windows, so that losses are means over characters.
    const size = (rows.length * width) / length
    return { x: [tensor(x, { shape })], y: [tensor(y, { shape })], sampleWeight: null, size }
  }
}
