import {
  add,
  asTensor,
  constant,
  eq,
  remainder,
  searchsorted,
  type Tensor,
  type TensorLike,
  take,
  tensor,
  where,
} from '../../tensor/index.js'
import { Layer, type LayerOptions } from '../layer.js'
import { type CategoryMode, encode, MODES } from './categories.js'
import { checkChoice, checkCount } from './options.js'

export interface IntegerLookupOptions extends LayerOptions {
  /** Most indices, those for the mask and for unknown integers included. */
  maxTokens?: number | null
  /** Indices for unknown integers, which are shared out by the remainder; default 1. With none they are -1 (`int`), or nothing. */
  numOovIndices?: number
  /** An integer that stands for padding: index 0 in the mode `int`. */
  maskToken?: number | null
  /** What stands for unknown integers in vocabularies, and comes out for unknown indices of an inverse; default -1. */
  oovToken?: number
  /** The integers in order; or {@link IntegerLookup.adapt}. */
  vocabulary?: readonly number[] | null
  /** From indices to integers. */
  invert?: boolean
  /** Default int: the index (i32). */
  outputMode?: CategoryMode | 'int'
  /** Vectors have maxTokens elements, however small the vocabulary is. */
  padToMaxTokens?: boolean
}

interface Table {
  /** Ascending. */
  readonly keys: readonly number[]
  readonly values: readonly number[]
}

const tableOf = (pairs: readonly (readonly [key: number, value: number])[]): Table => {
  const sorted = [...pairs].sort((a, b) => a[0] - b[0])
  return { keys: sorted.map(([key]) => key), values: sorted.map(([, value]) => value) }
}

/** Integers -> their places in a vocabulary (Keras IntegerLookup): the mask, then the unknown, then the vocabulary. */
export class IntegerLookup extends Layer {
  override readonly className: string = 'IntegerLookup'
  readonly #settings: Required<Omit<IntegerLookupOptions, keyof LayerOptions>>
  #vocabulary: readonly number[] | null = null

  constructor(options: IntegerLookupOptions = {}) {
    const settings = {
      maxTokens: options.maxTokens ?? null,
      numOovIndices: options.numOovIndices ?? 1,
      maskToken: options.maskToken ?? null,
      oovToken: options.oovToken ?? -1,
      vocabulary: options.vocabulary ?? null,
      invert: options.invert ?? false,
      outputMode: checkChoice('IntegerLookup', 'outputMode', options.outputMode ?? 'int', ['int', ...MODES]),
      padToMaxTokens: options.padToMaxTokens ?? false,
    }
    super(options, { ...settings, vocabularyDtype: 'int64', sparse: false })
    checkCount('IntegerLookup', 'numOovIndices', settings.numOovIndices, 0)
    if (settings.maxTokens !== null) checkCount('IntegerLookup', 'maxTokens', settings.maxTokens, 2)
    if (settings.invert && settings.outputMode !== 'int')
      throw new RangeError(`IntegerLookup: invert needs outputMode 'int', got '${settings.outputMode}'`)
    this.#settings = settings
    if (settings.vocabulary) this.#vocabulary = this.checked(settings.vocabulary)
  }

  /** Indices before those of the vocabulary: for the mask, for unknown integers. */
  private get first(): readonly number[] {
    const { maskToken, oovToken, numOovIndices, outputMode } = this.#settings
    const mask = maskToken !== null && outputMode === 'int' ? [maskToken] : []
    return [...mask, ...new Array<number>(numOovIndices).fill(oovToken)]
  }

  /** A vocabulary without the special tokens, which may stand before it. */
  private checked(given: readonly number[]): readonly number[] {
    const { first } = this
    const special = first.length > 0 && first.every((token, i) => given[i] === token)
    const own = special ? given.slice(first.length) : given
    const odd = own.find((token, i) => !Number.isSafeInteger(token) || own.indexOf(token) !== i)
    if (own.length === 0 || odd !== undefined)
      throw new RangeError(
        `IntegerLookup: a vocabulary has integers, each once, got ${odd === undefined ? 'none' : String(odd)}`,
      )
    const { maxTokens } = this.#settings
    if (maxTokens !== null && own.length + first.length > maxTokens)
      throw new RangeError(
        `IntegerLookup: ${own.length} integers and ${first.length} special ones are more than maxTokens, ${maxTokens}`,
      )
    return own
  }

  /** The integer of every index. @throws Error before there is a vocabulary */
  get vocabulary(): readonly number[] {
    if (!this.#vocabulary)
      throw new Error(`IntegerLookup ${this.name}: give a vocabulary, or call adapt(data) before its first use`)
    return [...this.first, ...this.#vocabulary]
  }

  /** Takes the vocabulary from data: the most frequent integers first, of equals the larger one. */
  async adapt(data: TensorLike): Promise<void> {
    const { maskToken, oovToken, maxTokens } = this.#settings
    const counts = new Map<number, number>()
    for (const value of await asTensor(data).to('i64').data()) {
      const token = Number(value)
      if (token !== maskToken && token !== oovToken) counts.set(token, (counts.get(token) ?? 0) + 1)
    }
    const ordered = [...counts].sort((a, b) => b[1] - a[1] || b[0] - a[0]).map(([token]) => token)
    this.#vocabulary = this.checked(ordered.slice(0, maxTokens === null ? undefined : maxTokens - this.first.length))
  }

  /** Values of integers by a table; `missing` elsewhere. */
  private found(x: Tensor, { keys, values }: Table, missing: Tensor): Tensor {
    const sorted = tensor(keys, { dtype: 'i64' })
    const place = searchsorted(sorted, x)
      .clamp(0, keys.length - 1)
      .to('i32')
    return where(eq(take(sorted, place, 0), x), take(tensor(values, { dtype: 'i64' }), place, 0), missing)
  }

  override call(inputs: Tensor): Tensor {
    const { maskToken, numOovIndices, oovToken, outputMode, invert, padToMaxTokens, maxTokens } = this.#settings
    const all = this.vocabulary
    const x = inputs.to('i64')
    const whole = (value: number): Tensor => constant(value, 'i64')
    if (invert) {
      const tokens = all.map((token, i) => [i, token] as const)
      return this.found(x, tableOf(tokens), whole(oovToken)).to('i32')
    }
    const { length: special } = this.first
    const start = special - numOovIndices
    const unknown =
      numOovIndices > 1
        ? add(remainder(x, whole(numOovIndices)), whole(start))
        : whole(numOovIndices === 0 ? -1 : start)
    const known = this.found(x, tableOf(all.slice(special).map((token, i) => [token, special + i])), unknown)
    const index = start > 0 ? where(eq(x, whole(maskToken as number)), whole(0), known) : known
    if (outputMode === 'int') return index.to('i32')
    return encode(index, outputMode, padToMaxTokens && maxTokens !== null ? maxTokens : all.length)
  }

  override config(): Record<string, unknown> {
    const { trainable: _, ...own } = super.config()
    return { ...own, vocabulary: this.#vocabulary }
  }
}
