import { tensor } from '../../../tensor/index.js'
import type { Batch } from '../../../train/index.js'
import { BucketedSource, type BucketOptions } from '../../bucketed-source.js'
import { lengthIn, type Packing, packTokens, type Tokens } from '../source.js'

export interface EncodedTexts {
  readonly texts: readonly Tokens[]
  readonly score: number | null
}

/** Batches [K B, T] of B rows of K texts: first texts, then second ones, all padded to the longest. Targets: scores [B]. */
export class ComparedSource extends BucketedSource<EncodedTexts> {
  constructor(
    rows: readonly EncodedTexts[],
    private readonly packing: Packing,
    options: BucketOptions,
  ) {
    super(
      rows,
      rows.map(({ texts }) => lengthIn(packing, Math.max(...texts.map(({ ids }) => ids.length)))),
      options,
    )
  }

  protected override batch(indices: readonly number[], length: number): Batch {
    const rows = indices.map((index) => this.rows[index])
    const texts = rows[0].texts.flatMap((_, place) => rows.map((row) => row.texts[place]))
    const scores = Float32Array.from(rows, ({ score }) => score ?? 0)
    const y = [tensor(scores, { shape: [rows.length] })]
    return { x: packTokens(texts, length, this.packing), y, sampleWeight: null, size: rows.length }
  }
}
