import { type Tensor, tensor } from '../../tensor/index.js'
import { paddedLength } from '../../text/char-tokenizer.js'
import type { PreTrainedTokenizer } from '../../text/tokenizers/index.js'
import type { Batch } from '../../train/index.js'
import { BucketedSource, type BucketOptions } from '../bucketed-source.js'
import type { InputName } from './model.js'

/** Tokens of a text. */
export interface Tokens {
  readonly ids: readonly number[]
  readonly typeIds: readonly number[]
}

/** What a model is fed, and how it is padded. */
export interface Packing {
  readonly tokenizer: PreTrainedTokenizer
  readonly inputs: readonly InputName[]
  /** Tokens that the model reads; null where there is no limit. */
  readonly limit: number | null
  /** Lengths are padded to a multiple of this. */
  readonly step: number
}

/** Tokens that a row of so many is padded to. */
export const lengthIn = ({ limit, step }: Packing, tokens: number): number =>
  Math.min(paddedLength(tokens, step), limit ?? Number.POSITIVE_INFINITY)

/** Integers [rows, length], padded. */
export function padInts(rows: readonly (readonly number[])[], length: number, filler: number): Tensor {
  const block = new Int32Array(rows.length * length).fill(filler)
  for (const [i, row] of rows.entries()) block.set(row, i * length)
  return tensor(block, { shape: [rows.length, length] })
}

/** The inputs of a model [rows, length]. */
export function packTokens(rows: readonly Tokens[], length: number, { inputs, tokenizer }: Packing): Tensor[] {
  const columns: { readonly [N in InputName]: () => Tensor } = {
    input_ids: () =>
      padInts(
        rows.map(({ ids }) => ids),
        length,
        tokenizer.padTokenId ?? 0,
      ),
    attention_mask: () =>
      padInts(
        rows.map(({ ids }) => ids.map(() => 1)),
        length,
        0,
      ),
    token_type_ids: () =>
      padInts(
        rows.map(({ typeIds }) => typeIds),
        length,
        tokenizer.padTokenTypeId,
      ),
  }
  return inputs.map((name) => columns[name]())
}

/** Batches of tokens with their targets. Each is padded to its longest, in steps. */
export class EncodedSource<R extends Tokens> extends BucketedSource<R> {
  /** `targets`: of rows in a batch that is padded to a length. */
  constructor(
    rows: readonly R[],
    private readonly packing: Packing,
    private readonly targets: (rows: readonly R[], length: number) => Tensor,
    options: BucketOptions,
  ) {
    super(
      rows,
      rows.map(({ ids }) => lengthIn(packing, ids.length)),
      options,
    )
  }

  protected override batch(indices: readonly number[], length: number): Batch {
    const rows = indices.map((index) => this.rows[index])
    const x = packTokens(rows, length, this.packing)
    return { x, y: [this.targets(rows, length)], sampleWeight: null, size: rows.length }
  }
}
