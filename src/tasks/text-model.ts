/** A published model of texts with its tokenizer: rows of tokens in, arrays out, in batches of one padded length. */
import type { ModelInputs, ModelOutput, PreTrainedModel } from '../models/index.js'
import { jit, type Tensor, tensor } from '../tensor/index.js'
import { paddedLength } from '../text/char-tokenizer.js'
import type { Encoding, InputSequence, PreTrainedTokenizer, TruncationStrategy } from '../text/tokenizers/index.js'
import { checkCount } from './types.js'

/** What is done with a text that the model cannot read whole. */
export interface LengthOptions {
  /** Cuts texts to what the model reads. Default false: longer ones are an error. */
  readonly truncation?: boolean | TruncationStrategy
  /** Tokens to cut to, special tokens included; at most, and by default, what the model reads. */
  readonly maxLength?: number
}

export interface RunOptions {
  /** Inputs of one pass. Default 8. */
  readonly batchSize?: number
  readonly signal?: AbortSignal
}

/** An array of one input. */
export interface RowArray {
  readonly shape: readonly number[]
  readonly data: Float32Array
}

type Read<K extends string> = (output: ModelOutput) => Readonly<Record<K, Tensor | undefined>>

/** Results of each row, in order; token dimensions have at least the row's length. */
export type Reader<K extends string> = (
  rows: readonly Encoding[],
  options?: RunOptions,
) => Promise<Readonly<Record<K, RowArray>>[]>

/** Model types whose positions start after the index of the padding token. */
const SHIFTED_POSITIONS: ReadonlySet<string> = new Set(['roberta', 'xlm-roberta', 'camembert', 'mpnet', 'esm'])

const POSITION_FIELDS = ['max_position_embeddings', 'n_positions', 'max_source_positions'] as const

/** Tokens that a model reads by its config; null where there is no limit. */
function positionsOf({ config }: PreTrainedModel): number | null {
  const fields = config as unknown as Record<string, unknown>
  const found = POSITION_FIELDS.map((name) => fields[name]).find((value) => typeof value === 'number' && value > 0)
  if (typeof found !== 'number') return null
  return SHIFTED_POSITIONS.has(config.model_type) ? found - (config.pad_token_id ?? 1) - 1 : found
}

/** Class names by index, as the config has them. */
export const labelsOf = ({ config }: PreTrainedModel): string[] =>
  Array.from({ length: config.num_labels }, (_, i) => config.id2label[i] ?? `LABEL_${i}`)

export class TextModel {
  /** Tokens that the model reads; null where there is no limit. */
  readonly limit: number | null

  constructor(
    readonly name: string,
    readonly model: PreTrainedModel,
    readonly tokenizer: PreTrainedTokenizer,
  ) {
    const limits = [tokenizer.modelMaxLength, positionsOf(model)].filter((limit) => limit !== null)
    this.limit = limits.length > 0 ? Math.min(...limits) : null
  }

  /** Tokens to cut to. @throws RangeError for a length that the model does not read */
  lengthFor(maxLength: number | undefined): number | null {
    if (maxLength === undefined) return this.limit
    checkCount('maxLength', maxLength)
    if (this.limit !== null && maxLength > this.limit)
      throw new RangeError(`maxLength ${maxLength} is more than the ${this.limit} tokens that ${this.name} reads`)
    return maxLength
  }

  /**
   * Tokens of a text, or of two.
   * @param where what errors call the input
   * @throws RangeError for a text longer than the model reads where no truncation is asked for
   */
  encode(
    text: InputSequence,
    pair: InputSequence | null,
    { truncation = false, maxLength }: LengthOptions,
    where: string,
  ): Encoding {
    const { backend } = this.tokenizer
    const limit = this.lengthFor(maxLength)
    const whole = backend.encode(text, pair, { truncation: null, padding: null })
    if (limit === null || whole.length <= limit) return whole
    if (truncation === false)
      throw new RangeError(
        `${where} has ${whole.length} tokens, ${this.name} reads ${limit}: shorten it, or ask for truncation`,
      )
    const strategy = truncation === true ? 'longest_first' : truncation
    return backend.encode(text, pair, {
      truncation: { maxLength: limit, strategy, stride: 0, direction: this.tokenizer.truncationSide },
      padding: null,
    })
  }

  /** A text, or its second sequence, in windows of `maxLength` tokens that share `stride` of them. */
  windows(
    text: InputSequence,
    pair: InputSequence | null,
    { stride, maxLength }: { readonly stride: number; readonly maxLength?: number },
  ): Encoding[] {
    const limit = this.lengthFor(maxLength)
    if (!Number.isSafeInteger(stride) || stride < 0)
      throw new RangeError(`stride must be a whole number of at least 0, got ${stride}`)
    const strategy = pair === null ? 'longest_first' : 'only_second'
    const first = this.tokenizer.backend.encode(text, pair, {
      truncation: limit === null ? null : { maxLength: limit, strategy, stride, direction: 'right' },
      padding: null,
    })
    return [first, ...first.overflowing]
  }

  /** Compiles what is read of the model's output. Rows of one padded length share a batch, so a row's result depends on it alone. */
  reader<K extends string>(name: string, read: Read<K>): Reader<K> {
    const forward = jit(
      (inputs: ModelInputs) => {
        const found = Object.entries(read(this.model.forward(inputs))) as [K, Tensor | undefined][]
        return Object.fromEntries(
          found.map(([key, value]) => {
            if (!value) throw new TypeError(`${this.model.constructor.name} gives no ${key}`)
            return [key, value.to('f32')]
          }),
        ) as Record<K, Tensor>
      },
      { name, cacheSize: 256 },
    )
    return async (rows, { batchSize = 8, signal } = {}) => {
      checkCount('batchSize', batchSize)
      // Without padding, models that look for a text's last token take one text at a time.
      const size = this.padding === null ? 1 : batchSize
      const results = new Array<Record<K, RowArray>>(rows.length)
      for (const [length, members] of this.groups(rows)) {
        for (let at = 0; at < members.length; at += size) {
          signal?.throwIfAborted()
          const part = members.slice(at, at + size)
          const outputs = forward(
            this.inputs(
              part.map((i) => rows[i]),
              length,
            ),
          )
          for (const [key, output] of Object.entries<Tensor>(outputs)) {
            const shape = output.shape.slice(1)
            const data = (await output.data()) as Float32Array
            const elements = data.length / part.length
            for (const [row, i] of part.entries()) {
              results[i] ??= {} as Record<K, RowArray>
              results[i][key as K] = { shape, data: data.subarray(row * elements, (row + 1) * elements) }
            }
          }
        }
      }
      return results
    }
  }

  /** The id that the model knows as padding; null where rows cannot be padded, since heads look for the last token before it. */
  private get padding(): number | null {
    return this.tokenizer.padTokenId === null ? null : this.model.config.pad_token_id
  }

  /** Rows by the length they are padded to, which depends on their own length alone. */
  private groups(rows: readonly Encoding[]): Map<number, number[]> {
    const pads = this.padding !== null
    const groups = new Map<number, number[]>()
    for (const [i, { length }] of rows.entries()) {
      if (length === 0) throw new RangeError(`input ${i + 1} has no tokens`)
      const padded = pads ? Math.min(paddedLength(length), Math.max(this.limit ?? Infinity, length)) : length
      const group = groups.get(padded)
      if (group) group.push(i)
      else groups.set(padded, [i])
    }
    return groups
  }

  private inputs(rows: readonly Encoding[], length: number): ModelInputs {
    const shape = [rows.length, length]
    const pack = (column: (row: Encoding) => readonly number[], filler: number): Tensor => {
      const block = new Int32Array(rows.length * length).fill(filler)
      for (const [i, row] of rows.entries()) block.set(column(row), i * length)
      return tensor(block, { shape })
    }
    const { padTokenTypeId, config } = this.tokenizer
    const types = config.modelInputNames.includes('token_type_ids')
    return {
      input_ids: pack(({ ids }) => ids, this.padding ?? 0),
      attention_mask: pack(({ attentionMask }) => attentionMask, 0),
      ...(types ? { token_type_ids: pack(({ typeIds }) => typeIds, padTokenTypeId) } : {}),
    }
  }
}
