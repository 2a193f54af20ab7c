import { tensor } from '../tensor/index.js'
import { paddedLength, padRows } from '../text/char-tokenizer.js'
import { UNK_ID } from '../text/char-vocab.js'
import type { Batch } from '../train/index.js'
import { BucketedSource, type BucketOptions } from './bucketed-source.js'
import { streamOf } from './random-stream.js'

export interface TextExample {
  readonly ids: Int32Array
  readonly label: number
}

export interface TextSourceOptions extends BucketOptions {
  /** Share of characters replaced by the unknown one. */
  readonly characterDropout: number
}

/** Batches of texts as characters with the number of their class. */
export class TextSource extends BucketedSource<TextExample> {
  constructor(
    rows: readonly TextExample[],
    private readonly options: TextSourceOptions,
  ) {
    super(
      rows,
      rows.map(({ ids }) => paddedLength(ids.length)),
      options,
    )
  }

  protected override batch(indices: readonly number[], length: number, epoch: number): Batch {
    const rows = indices.map((index) => this.rows[index])
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
