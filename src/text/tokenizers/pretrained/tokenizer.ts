import { type Tensor, tensor } from '../../../tensor/index.js'
import { type ChatMessage, type ChatTemplateOptions, renderChat } from '../../chat/index.js'
import { type AddedToken, addedToken } from '../added-vocabulary.js'
import type { DecodeStream } from '../decode-stream.js'
import type { Encoding, Offsets, Side } from '../encoding.js'
import type { InputSequence, Tokenizer } from '../tokenizer.js'
import { cleanUp } from './clean-up.js'
import { type PretrainedConfig, pretrainedConfig, type SpecialTokenName } from './config.js'
import { type CallOptions, strategies } from './options.js'

/** One text; many; with `isSplitIntoWords` the words of one, or of many. */
export type TextInput = string | readonly string[] | readonly (readonly string[])[]

/** Rows of numbers, one a text (or overflowing part). */
export interface BatchColumns {
  input_ids: number[][]
  token_type_ids?: number[][]
  attention_mask?: number[][]
  special_tokens_mask?: number[][]
  offset_mapping?: (readonly Offsets[])[]
  length?: number[]
  /** Text that each row comes from, where overflowing parts are rows. */
  overflow_to_sample_mapping?: number[]
}

/** Inputs of a model: i32 tensors [B, T]. */
export interface ModelTensors {
  input_ids: Tensor
  token_type_ids?: Tensor
  attention_mask?: Tensor
  special_tokens_mask?: Tensor
}

export interface DecodeOptions {
  readonly skipSpecialTokens?: boolean
  /** Removes the spaces that English is written without; by default as the checkpoint says. */
  readonly cleanUpTokenizationSpaces?: boolean
}

/** Template of a text and a pair with the tokens of their start and end. */
function bosEosTemplate(bos: [string, number] | null, eos: [string, number] | null): Record<string, unknown> {
  const around = (sequence: string, type: number): string =>
    [bos && `${bos[0]}:${type}`, `$${sequence}:${type}`, eos && `${eos[0]}:${type}`].filter(Boolean).join(' ')
  const pieces = (text: string): unknown[] =>
    text.split(' ').map((piece) => {
      const at = piece.lastIndexOf(':')
      const [id, type_id] = [piece.slice(0, at), Number(piece.slice(at + 1))]
      return id.startsWith('$') ? { Sequence: { id: id.slice(1), type_id } } : { SpecialToken: { id, type_id } }
    })
  const special = [bos, eos].filter((token): token is [string, number] => token !== null)
  return {
    type: 'TemplateProcessing',
    single: pieces(around('A', 0)),
    pair: pieces(`${around('A', 0)} ${around('B', 1)}`),
    special_tokens: Object.fromEntries(
      special.map(([token, id]) => [token, { id: token, ids: [id], tokens: [token] }]),
    ),
  }
}

/** A tokenizer with what a checkpoint says of its use: special tokens by name, sides, the length that the model reads. */
export class PreTrainedTokenizer {
  readonly backend: Tokenizer
  readonly config: PretrainedConfig
  paddingSide: Side
  truncationSide: Side
  modelMaxLength: number | null
  padTokenTypeId = 0
  private named: Partial<Record<SpecialTokenName, string>> = {}

  constructor(backend: Tokenizer, config: PretrainedConfig = pretrainedConfig()) {
    this.backend = backend
    this.config = config
    this.paddingSide = config.paddingSide
    this.truncationSide = config.truncationSide
    this.modelMaxLength = config.modelMaxLength
    for (const [name, token] of Object.entries(config.special) as [SpecialTokenName, AddedToken][])
      this.named[name] = token.content
    this.addMissingTokens()
    this.updatePostProcessor()
    // Calls say themselves what to cut and fill.
    backend.truncation = null
    backend.padding = null
    backend.added.encodeSpecialTokens = config.splitSpecialTokens
  }

  private addMissingTokens(): void {
    const { added } = this.backend
    const { special, extraSpecial } = this.config
    const named = [...Object.values(special), ...extraSpecial]
    const names = new Set(named.map(({ content }) => content))
    // Tokens that the config describes are as it says, those that it names only are added where they are missing.
    const described = this.config.added.map((token) => ({
      ...token,
      special: token.special || names.has(token.content),
    }))
    const known = new Set(described.map(({ content }) => content))
    const missing = named.filter(({ content }) => !known.has(content) && added.id(content) === undefined)
    if (described.length + missing.length > 0) this.backend.addTokens([...described, ...missing])
  }

  private updatePostProcessor(): void {
    const { addBosToken, addEosToken } = this.config
    if (addBosToken === null && addEosToken === null && this.backend.partJson('post_processor') !== null) return
    const token = (wanted: boolean | null, name: SpecialTokenName): [string, number] | null => {
      const text = this.named[name]
      const id = text === undefined ? undefined : this.backend.tokenToId(text)
      return wanted && text !== undefined && id !== undefined ? [text, id] : null
    }
    this.backend.setPostProcessor(bosEosTemplate(token(addBosToken, 'bos_token'), token(addEosToken, 'eos_token')))
  }

  /** A special token by its name; null where the tokenizer has none. */
  specialToken(name: SpecialTokenName): string | null {
    return this.named[name] ?? null
  }

  /** Makes a token the one of that name; it is added to the vocabulary where that lacks it. */
  setSpecialToken(name: SpecialTokenName, token: string): void {
    this.named[name] = token
    if (this.backend.tokenToId(token) === undefined)
      this.backend.addSpecialTokens([addedToken(token, { special: true })])
  }

  private specialId(name: SpecialTokenName): number | null {
    const token = this.named[name]
    return token === undefined ? null : (this.backend.tokenToId(token) ?? null)
  }

  get bosToken(): string | null {
    return this.specialToken('bos_token')
  }
  get eosToken(): string | null {
    return this.specialToken('eos_token')
  }
  get unkToken(): string | null {
    return this.specialToken('unk_token')
  }
  get sepToken(): string | null {
    return this.specialToken('sep_token')
  }
  get padToken(): string | null {
    return this.specialToken('pad_token')
  }
  set padToken(token: string | null) {
    if (token === null) delete this.named.pad_token
    else this.setSpecialToken('pad_token', token)
  }
  get clsToken(): string | null {
    return this.specialToken('cls_token')
  }
  get maskToken(): string | null {
    return this.specialToken('mask_token')
  }
  get bosTokenId(): number | null {
    return this.specialId('bos_token')
  }
  get eosTokenId(): number | null {
    return this.specialId('eos_token')
  }
  get unkTokenId(): number | null {
    return this.specialId('unk_token')
  }
  get sepTokenId(): number | null {
    return this.specialId('sep_token')
  }
  get padTokenId(): number | null {
    return this.specialId('pad_token')
  }
  get clsTokenId(): number | null {
    return this.specialId('cls_token')
  }
  get maskTokenId(): number | null {
    return this.specialId('mask_token')
  }

  /** All special tokens, each once, with their ids. */
  get specialTokens(): Map<string, number> {
    const names = [...Object.values(this.named), ...this.config.extraSpecial.map(({ content }) => content)]
    const found = new Map<string, number>()
    for (const token of names) {
      const id = this.backend.tokenToId(token)
      if (id !== undefined) found.set(token, id)
    }
    return found
  }

  get vocabSize(): number {
    return this.backend.vocabSize
  }

  tokenToId(token: string): number | undefined {
    return this.backend.tokenToId(token)
  }

  idToToken(id: number): string | undefined {
    return this.backend.idToToken(id)
  }

  /** Tokens of a text, without special ones. */
  tokenize(text: string, pair: string | null = null): readonly string[] {
    return this.backend.encode(text, pair, { addSpecialTokens: false }).tokens
  }

  /** Ids of a text with its special tokens. */
  encode(text: InputSequence, pair: InputSequence | null = null, options: CallOptions = {}): number[] {
    return this.encodings([text], pair === null ? null : [pair], options)[0].ids
  }

  private encodings(
    texts: readonly InputSequence[],
    pairs: readonly InputSequence[] | null,
    options: CallOptions,
  ): Encoding[] {
    const { truncation, padding } = strategies(options, {
      modelMaxLength: this.modelMaxLength,
      paddingSide: this.paddingSide,
      truncationSide: this.truncationSide,
      padToken: this.padToken,
      padId: this.padTokenId,
      padTypeId: this.padTokenTypeId,
    })
    const room = truncation ? truncation.maxLength - this.backend.addedTokenCount(false) : -1
    if (truncation && room >= 0 && room < truncation.stride)
      throw new RangeError(`stride is ${truncation.stride}, a row has room for ${room} tokens beside the special ones`)
    const { added } = this.backend
    const before = added.encodeSpecialTokens
    added.encodeSpecialTokens = options.splitSpecialTokens ?? before
    try {
      const inputs = pairs ? texts.map((text, i) => [text, pairs[i]] as const) : texts
      const { addSpecialTokens } = options
      return this.backend.encodeBatch(inputs, { addSpecialTokens, truncation, padding, pairs: pairs !== null })
    } finally {
      added.encodeSpecialTokens = before
    }
  }

  private asBatch(input: TextInput, words: boolean): readonly InputSequence[] {
    if (typeof input === 'string') return [input]
    if (!Array.isArray(input)) throw new TypeError(`a text or a list of texts was expected, got ${typeof input}`)
    const list = input as readonly unknown[]
    const isWords = words && !list.some(Array.isArray)
    for (const item of list)
      if (
        !(typeof item === 'string' || (words && Array.isArray(item) && item.every((word) => typeof word === 'string')))
      )
        throw new TypeError(
          `texts: expected strings, found ${words ? 'something else' : `${typeof item}; words need isSplitIntoWords`}`,
        )
    return isWords ? [list as readonly string[]] : (list as readonly InputSequence[])
  }

  /**
   * Encodes texts as rows of numbers; see {@link CallOptions}. A single text gives one row.
   * @throws TypeError for what is no text, and as {@link strategies} and truncation do
   */
  encodeBatch(texts: TextInput, pairs: TextInput | null = null, options: CallOptions = {}): BatchColumns {
    const words = options.isSplitIntoWords ?? false
    const batch = this.asBatch(texts, words)
    const pairBatch = pairs === null ? null : this.asBatch(pairs, words)
    if (pairBatch && pairBatch.length !== batch.length)
      throw new RangeError(`${batch.length} texts and ${pairBatch.length} second texts were given`)
    const encodings = this.encodings(batch, pairBatch, options)
    return this.columns(encodings, options)
  }

  private columns(encodings: readonly Encoding[], options: CallOptions): BatchColumns {
    const overflows = options.returnOverflowingTokens ?? false
    const samples: number[] = []
    const rows = encodings.flatMap((encoding, i) => {
      const parts = overflows ? [encoding, ...encoding.overflowing] : [encoding]
      for (const _ of parts) samples.push(i)
      return parts
    })
    const wants = (name: string, option: boolean | undefined): boolean =>
      option ?? this.config.modelInputNames.includes(name)
    const columns: BatchColumns = { input_ids: rows.map(({ ids }) => ids) }
    if (wants('token_type_ids', options.returnTokenTypeIds)) columns.token_type_ids = rows.map(({ typeIds }) => typeIds)
    if (wants('attention_mask', options.returnAttentionMask))
      columns.attention_mask = rows.map(({ attentionMask }) => attentionMask)
    if (options.returnSpecialTokensMask) columns.special_tokens_mask = rows.map((row) => row.specialTokensMask)
    if (options.returnOffsetsMapping)
      columns.offset_mapping = rows.map((row) =>
        options.returnOffsetsMapping === 'utf16' ? row.offsets : row.codePointOffsets,
      )
    if (options.returnLength) columns.length = rows.map(({ length }) => length)
    if (overflows) columns.overflow_to_sample_mapping = samples
    return columns
  }

  /**
   * Encodes texts as the inputs of a model: i32 tensors [B, T].
   * @throws RangeError where rows differ in length and no padding is asked for
   */
  modelInputs(texts: TextInput, pairs: TextInput | null = null, options: CallOptions = {}): ModelTensors {
    const columns = this.encodeBatch(texts, pairs, options)
    const rows = columns.input_ids.length
    const length = columns.input_ids[0]?.length ?? 0
    if (columns.input_ids.some((row) => row.length !== length))
      throw new RangeError('texts of different lengths need padding: pass { padding: true }')
    const pack = (values: readonly (readonly number[])[] | undefined): Tensor | undefined =>
      values && tensor(Int32Array.from(values.flat()), { shape: [rows, length] })
    const inputs: ModelTensors = { input_ids: pack(columns.input_ids)! }
    for (const name of ['token_type_ids', 'attention_mask', 'special_tokens_mask'] as const) {
      const packed = pack(columns[name])
      if (packed) inputs[name] = packed
    }
    return inputs
  }

  /**
   * The text of a conversation as the checkpoint's chat template writes it; encode it with `addSpecialTokens: false`.
   * @param options `chatTemplate` is a template, or the name of one of several
   * @throws Error where the checkpoint has no template
   */
  applyChatTemplate(
    messages: readonly ChatMessage[],
    { chatTemplate, ...options }: ChatTemplateOptions & { readonly chatTemplate?: string } = {},
  ): string {
    const own = this.config.chatTemplate
    const named =
      typeof own === 'string' || own === null
        ? own
        : (own[chatTemplate ?? (options.tools ? 'tool_use' : 'default')] ?? own.default)
    const template = typeof own === 'string' || own === null ? (chatTemplate ?? own) : (named ?? chatTemplate)
    if (!template) throw new Error('the tokenizer has no chat template; pass { chatTemplate }')
    return renderChat(template, messages, { ...options, variables: { ...this.named, ...options.variables } }).text
  }

  /** The fields of a tokenizer_config.json. */
  configJson(): Record<string, unknown> {
    const { added_tokens_decoder: _, chat_template: __, ...rest } = this.config.json
    return {
      ...rest,
      ...this.named,
      model_max_length: this.modelMaxLength ?? 1e30,
      padding_side: this.paddingSide,
      truncation_side: this.truncationSide,
      tokenizer_class: 'PreTrainedTokenizerFast',
      model_input_names: this.config.modelInputNames,
    }
  }

  /** Text of ids. */
  decode(ids: Iterable<number>, { skipSpecialTokens = false, cleanUpTokenizationSpaces }: DecodeOptions = {}): string {
    const text = this.backend.decode(ids, { skipSpecialTokens })
    const cleans = cleanUpTokenizationSpaces ?? this.config.cleanUpTokenizationSpaces
    // Text of byte-pair tokens has the spaces it was written with.
    return cleans && (this.backend.model.type !== 'BPE' || this.config.cleanUpBpe) ? cleanUp(text) : text
  }

  batchDecode(rows: Iterable<Iterable<number>>, options: DecodeOptions = {}): string[] {
    return Array.from(rows, (ids) => this.decode(ids, options))
  }

  decodeStream(options: { readonly skipSpecialTokens?: boolean } = {}): DecodeStream {
    return this.backend.decodeStream(options)
  }
}

/** A tokenizer that can be called: `tokenizer(texts)` gives the inputs of a model. */
export interface CallableTokenizer extends PreTrainedTokenizer {
  (texts: TextInput, options?: CallOptions & { readonly pair?: TextInput | null }): ModelTensors
}

/** Makes a tokenizer callable. */
export function callable(tokenizer: PreTrainedTokenizer): CallableTokenizer {
  const call = (
    texts: TextInput,
    { pair = null, ...options }: CallOptions & { pair?: TextInput | null } = {},
  ): ModelTensors => tokenizer.modelInputs(texts, pair, options)
  return new Proxy(call, {
    get: (_, key) => {
      const value: unknown = Reflect.get(tokenizer, key, tokenizer)
      return typeof value === 'function' ? value.bind(tokenizer) : value
    },
    set: (_, key, value) => Reflect.set(tokenizer, key, value, tokenizer),
    has: (_, key) => Reflect.has(tokenizer, key),
    getPrototypeOf: () => Object.getPrototypeOf(tokenizer),
  }) as unknown as CallableTokenizer
}
