import { type Tensor, tensor } from '../../tensor/index.js'
import { paddedLength } from '../../text/char-tokenizer.js'
import type { PreTrainedTokenizer } from '../../text/tokenizers/index.js'
import type { Batch } from '../../train/index.js'
import { BucketedSource, type BucketOptions } from '../bucketed-source.js'
import type { InputName } from './model.js'

export interface EncodedExample {
  readonly ids: readonly number[]
  readonly typeIds: readonly number[]
  readonly target: number | readonly number[]
}

export interface EncodedOptions extends BucketOptions {
  readonly inputs: readonly InputName[]
  /** Tokens that the model reads; null where there is no limit. */
  readonly limit: number | null
  /** Targets are numbers of classes. */
  readonly integers: boolean
}

/** Batches of tokens with their targets: [B], or [B, L] for several labels at once. Each is padded to its longest, in steps. */
export class EncodedSource extends BucketedSource<EncodedExample> {
  constructor(
    rows: readonly EncodedExample[],
    private readonly tokenizer: PreTrainedTokenizer,
    private readonly options: EncodedOptions,
  ) {
    const { limit } = options
    super(
      rows,
      rows.map(({ ids }) => (limit === null ? paddedLength(ids.length) : Math.min(paddedLength(ids.length), limit))),
      options,
    )
  }

  protected override batch(indices: readonly number[], length: number): Batch {
    const rows = indices.map((index) => this.rows[index])
    const pack = (column: (row: EncodedExample) => readonly number[], filler: number): Tensor => {
      const block = new Int32Array(rows.length * length).fill(filler)
      for (const [i, row] of rows.entries()) block.set(column(row), i * length)
      return tensor(block, { shape: [rows.length, length] })
    }
    const columns: { readonly [N in InputName]: () => Tensor } = {
      input_ids: () => pack(({ ids }) => ids, this.tokenizer.padTokenId ?? 0),
      attention_mask: () => pack(({ ids }) => ids.map(() => 1), 0),
      token_type_ids: () => pack(({ typeIds }) => typeIds, this.tokenizer.padTokenTypeId),
    }
    const targets = rows.flatMap(({ target }) => target)
    const width = targets.length / rows.length
    const several = typeof rows[0].target !== 'number'
    const shape = several ? [rows.length, width] : [rows.length]
    return {
      x: this.options.inputs.map((name) => columns[name]()),
      y: [tensor(this.options.integers ? Int32Array.from(targets) : Float32Array.from(targets), { shape })],
      sampleWeight: null,
      size: rows.length,
    }
  }
}
