import { type Tensor, tensor } from '../../tensor/index.js'
import { paddedLength } from '../../text/char-tokenizer.js'
import type { Batch } from '../../train/index.js'
import { BucketedSource, type BucketOptions } from '../bucketed-source.js'
import { IGNORED } from '../fine-tuning/loss.js'
import type { InputName } from '../fine-tuning/model.js'
import { streamOf } from '../random-stream.js'
import { type MaskedRow, maskRow, mostMasked, type Vocabulary } from './masking.js'
import type { TokenRow } from './rows.js'
import type { MaskingSpec } from './schema.js'

export type PretrainingInput = InputName | 'score_positions'

export interface MaskedOptions extends BucketOptions {
  readonly inputs: readonly PretrainingInput[]
  readonly masking: MaskingSpec
  readonly vocabulary: Vocabulary
  readonly padId: number
  readonly padTypeId: number
  /** Tokens that rows are padded to at most. */
  readonly limit: number
  /** Masks are drawn by (seed, row, epoch). */
  readonly seed: number
}

/** Batches of rows [B, T] with hidden tokens, the places of those [P] in the batch, and what stood there [P]. */
export class MaskedSource extends BucketedSource<TokenRow> {
  constructor(
    rows: readonly TokenRow[],
    private readonly options: MaskedOptions,
  ) {
    super(
      rows,
      rows.map(({ ids }) =>
        Math.min(Math.max(paddedLength(ids.length), ids.length), Math.max(options.limit, ids.length)),
      ),
      options,
    )
  }

  protected override batch(indices: readonly number[], length: number, epoch: number): Batch {
    const { masking, vocabulary, seed, padId, padTypeId, inputs } = this.options
    const rows = indices.map((index) => maskRow(this.rows[index], masking, vocabulary, streamOf(seed, index, epoch)))
    const pack = (fill: (row: MaskedRow, block: Int32Array, at: number) => void, filler: number): Tensor => {
      const block = new Int32Array(rows.length * length).fill(filler)
      for (const [i, row] of rows.entries()) fill(row, block, i * length)
      return tensor(block, { shape: [rows.length, length] })
    }
    // A number of places that depends on the shape alone, so that one program serves all batches of that shape.
    const places = rows.length * mostMasked(length, masking.fraction)
    const positions = new Int32Array(places)
    const labels = new Int32Array(places).fill(IGNORED)
    let next = 0
    for (const [i, row] of rows.entries())
      for (const [j, at] of row.positions.entries()) {
        positions[next] = i * length + at
        labels[next++] = row.labels[j]
      }
    const columns: { readonly [N in PretrainingInput]: () => Tensor } = {
      input_ids: () => pack(({ ids }, block, at) => block.set(ids, at), padId),
      attention_mask: () => pack(({ ids }, block, at) => block.fill(1, at, at + ids.length), 0),
      token_type_ids: () => pack(({ ids }, block, at) => block.fill(0, at, at + ids.length), padTypeId),
      score_positions: () => tensor(positions),
    }
    return {
      x: inputs.map((name) => columns[name]()),
      y: [tensor(labels)],
      sampleWeight: null,
      size: rows.length,
    }
  }
}
