import { FormatError } from '../../formats/errors.js'
import { type AddedToken, AddedVocabulary, addedToken, addedTokenOf } from './added-vocabulary.js'
import { AlignedText } from './aligned-text.js'
import { Fields, type JsonObject } from './config.js'
import { DecodeStream } from './decode-stream.js'
import { buildDecoder, type Decoder } from './decoders.js'
import { Encoding, type Offsets } from './encoding.js'
import { compileFast, type FastEncoder } from './fast/index.js'
import { buildModel } from './models/index.js'
import type { Model, Token } from './models/model.js'
import { buildNormalizer, type Normalizer } from './normalizers/index.js'
import { buildPostProcessor, type PostProcessor, postProcess } from './post-processors.js'
import { buildPreTokenizer, type PreTokenizer } from './pre-tokenizers/index.js'
import { paddingOf, paddingToJson, truncationOf, truncationToJson } from './settings.js'
import type { Trainer } from './training/trainer.js'
import { type PaddingOptions, padEncodings, type TruncationOptions, truncateEncodings } from './truncation.js'
import { wellFormed } from './well-formed.js'

/** A text, or the words of one. */
export type InputSequence = string | readonly string[]

export interface EncodeOptions {
  /** Whether the post-processor adds its special tokens. Default true. */
  readonly addSpecialTokens?: boolean
  /** Instead of the tokenizer's own setting; null for none. */
  readonly truncation?: TruncationOptions | null
  readonly padding?: PaddingOptions | null
}

/** The JSON of the parts, kept for saving. */
interface PartsJson {
  normalizer: unknown
  pre_tokenizer: unknown
  post_processor: unknown
  decoder: unknown
}

/** A piece of a text on its way to the model: with tokens already where it is an added token. */
interface Split {
  readonly text: AlignedText
  readonly tokens: readonly Token[] | null
}

/** A tokenizer as a tokenizer.json describes it: normalizer, pre-tokenizer, model, post-processor, decoder and added tokens. */
export class Tokenizer {
  private parts: PartsJson = { normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null }
  private normalizerPart: Normalizer | null = null
  private preTokenizerPart: PreTokenizer | null = null
  private postProcessorPart: PostProcessor | null = null
  private decoderPart: Decoder | null = null
  private fastEncoder: FastEncoder | null | undefined
  readonly added: AddedVocabulary
  truncation: TruncationOptions | null = null
  padding: PaddingOptions | null = null

  constructor(private modelPart: Model) {
    this.added = new AddedVocabulary(
      () => this.modelPart,
      () => this.normalizerPart,
    )
  }

  /**
   * Builds the tokenizer of a parsed tokenizer.json.
   * @param where what errors call the file
   * @throws FormatError for parts that are unknown or malformed
   */
  static fromJson(json: unknown, where = 'tokenizer.json'): Tokenizer {
    const fields = Fields.of(json, where)
    if (fields.has('version') && fields.string('version') !== '1.0') fields.fail('version', "'1.0'")
    const tokenizer = new Tokenizer(buildModel(fields.json.model, `${where}: model`))
    tokenizer.setNormalizer(fields.json.normalizer ?? null)
    tokenizer.setPreTokenizer(fields.json.pre_tokenizer ?? null)
    tokenizer.setPostProcessor(fields.json.post_processor ?? null)
    tokenizer.setDecoder(fields.json.decoder ?? null)
    if (fields.has('truncation')) tokenizer.truncation = truncationOf(Fields.of(fields.json.truncation, 'truncation'))
    if (fields.has('padding')) tokenizer.padding = paddingOf(Fields.of(fields.json.padding, 'padding'))
    if (fields.has('added_tokens'))
      tokenizer.addTokens(
        fields.list('added_tokens').map((item, i) => addedTokenOf(Fields.of(item, `${where}: added_tokens[${i}]`))),
      )
    return tokenizer
  }

  get model(): Model {
    return this.modelPart
  }

  setModel(model: Model): void {
    this.modelPart = model
    this.fastEncoder = undefined
  }

  get normalizer(): Normalizer | null {
    return this.normalizerPart
  }

  get preTokenizer(): PreTokenizer | null {
    return this.preTokenizerPart
  }

  /** A part as a tokenizer.json writes it; null for none. */
  partJson(part: keyof PartsJson): unknown {
    return this.parts[part]
  }

  setNormalizer(json: unknown): void {
    this.normalizerPart = json === null ? null : buildNormalizer(json)
    this.parts.normalizer = json
    this.fastEncoder = undefined
    this.added.refresh()
  }

  setPreTokenizer(json: unknown): void {
    this.preTokenizerPart = json === null ? null : buildPreTokenizer(json)
    this.parts.pre_tokenizer = json
    this.fastEncoder = undefined
  }

  setPostProcessor(json: unknown): void {
    this.postProcessorPart = json === null ? null : buildPostProcessor(json)
    this.parts.post_processor = json
  }

  setDecoder(json: unknown): void {
    this.decoderPart = json === null ? null : buildDecoder(json)
    this.parts.decoder = json
  }

  /** @returns how many tokens were new or changed */
  addTokens(tokens: readonly (AddedToken | string)[]): number {
    return this.added.add(tokens.map((token) => (typeof token === 'string' ? addedToken(token) : token)))
  }

  addSpecialTokens(tokens: readonly (AddedToken | string)[]): number {
    return this.added.add(
      tokens.map((token) =>
        typeof token === 'string' ? addedToken(token, { special: true }) : { ...token, special: true },
      ),
    )
  }

  tokenToId(token: string): number | undefined {
    return this.added.id(token) ?? this.modelPart.tokenToId(token)
  }

  idToToken(id: number): string | undefined {
    return this.added.text(id) ?? this.modelPart.idToToken(id)
  }

  /** Number of tokens, added ones included. */
  get vocabSize(): number {
    let size = this.modelPart.size
    for (const [, { content }] of this.added.entries()) if (this.modelPart.tokenToId(content) === undefined) size++
    return size
  }

  /** All tokens with their ids. */
  vocabulary(): Map<string, number> {
    const all = new Map(this.modelPart.entries())
    for (const [id, { content }] of this.added.entries()) all.set(content, id)
    return all
  }

  /** Number of special tokens put around a text or a pair. */
  addedTokenCount(pair: boolean): number {
    return this.postProcessorPart?.addedTokens(pair) ?? 0
  }

  /**
   * Encodes a text, or its words, or two of them.
   * @throws RangeError where truncation cannot be done, Error for text that the vocabulary cannot write
   */
  encode(text: InputSequence, pair: InputSequence | null = null, options: EncodeOptions = {}): Encoding {
    const encoding = this.encodeQuick(text, pair, options) ?? this.encodeExactly(text, pair, options)
    const padding = options.padding === undefined ? this.padding : options.padding
    if (padding) padEncodings([encoding], padding)
    return encoding
  }

  /** Encodes many texts or pairs and pads them to one length where padding is on. */
  encodeBatch(
    inputs: readonly (InputSequence | readonly [InputSequence, InputSequence])[],
    options: EncodeOptions & { readonly isPretokenized?: boolean; readonly pairs?: boolean } = {},
  ): Encoding[] {
    const encodings = inputs.map((input) => {
      const [text, pair] = options.pairs
        ? (input as readonly [InputSequence, InputSequence])
        : [input as InputSequence, null]
      return this.encode(text, pair, { ...options, padding: null })
    })
    const padding = options.padding === undefined ? this.padding : options.padding
    if (padding) padEncodings(encodings, padding)
    return encodings
  }

  private encodeQuick(text: InputSequence, pair: InputSequence | null, options: EncodeOptions): Encoding | null {
    if (typeof text !== 'string' || (pair !== null && typeof pair !== 'string')) return null
    if (this.fastEncoder === undefined) this.fastEncoder = compileFast(this)
    const fast = this.fastEncoder
    if (!fast) return null
    const encodings: Encoding[] = []
    for (const [typeId, sequence] of [text, pair].entries()) {
      if (sequence === null) continue
      const ids = fast.encode(wellFormed(sequence))
      if (!ids) return null
      encodings.push(Encoding.ofIds(ids, typeId))
    }
    const encoding = this.finish(encodings, options)
    const { encodeSpecialTokens } = this.added
    const truncation = options.truncation === undefined ? this.truncation : options.truncation
    encoding.attachSource(() => this.encodeAgain(encodeSpecialTokens, text, pair, { ...options, truncation }))
    return encoding
  }

  /** Encodes a text with the setting that it was encoded with before. */
  private encodeAgain(
    encodeSpecialTokens: boolean,
    text: InputSequence,
    pair: InputSequence | null,
    options: EncodeOptions,
  ): Encoding {
    const now = this.added.encodeSpecialTokens
    this.added.encodeSpecialTokens = encodeSpecialTokens
    try {
      return this.encodeExactly(text, pair, options)
    } finally {
      this.added.encodeSpecialTokens = now
    }
  }

  private encodeExactly(text: InputSequence, pair: InputSequence | null, options: EncodeOptions): Encoding {
    const encodings = [this.encodeSequence(text, 0)]
    if (pair !== null) encodings.push(this.encodeSequence(pair, 1))
    return this.finish(encodings, options)
  }

  private finish(encodings: readonly Encoding[], { addSpecialTokens = true, truncation }: EncodeOptions): Encoding {
    let parts = encodings
    const settings = truncation === undefined ? this.truncation : truncation
    if (settings) {
      const added = addSpecialTokens ? this.addedTokenCount(encodings.length > 1) : 0
      if (settings.maxLength < added)
        throw new RangeError(`truncation to ${settings.maxLength} tokens leaves no room for ${added} special tokens`)
      parts = truncateEncodings(encodings, { ...settings, maxLength: settings.maxLength - added })
    }
    return postProcess(this.postProcessorPart, parts, addSpecialTokens)
  }

  private encodeSequence(sequence: InputSequence, typeId: number): Encoding {
    if (typeof sequence === 'string') return this.encodeText(wellFormed(sequence), typeId, null)
    return Encoding.merge(sequence.map((word, i) => this.encodeText(wellFormed(word), typeId, i)))
  }

  /** Pieces that the model sees, before it does. */
  private splits(text: string): Split[] {
    const plain = partsOf(new AlignedText(text), this.added.splitPlain(text))
    const normalized = plain.flatMap((split) => {
      if (split.tokens) return [split]
      this.normalizerPart?.apply(split.text)
      return partsOf(split.text, this.added.splitNormalized(split.text.text))
    })
    const preTokenizer = this.preTokenizerPart
    if (!preTokenizer) return normalized
    return normalized.flatMap((split) =>
      split.tokens ? [split] : preTokenizer.split(split.text).map((part) => ({ text: part, tokens: null })),
    )
  }

  /** Pieces of a text as training sees them. */
  preTokenize(text: string): string[] {
    return this.splits(wellFormed(text)).map((split) => split.text.text)
  }

  private encodeText(text: string, typeId: number, word: number | null): Encoding {
    const ids: number[] = []
    const encoding = Encoding.ofIds(ids, typeId)
    const columns = { tokens: [], words: [], offsets: [], unitOffsets: [] } as NonNullable<Encoding['columns']>
    const toCodePoints = codePointOffsets(text)
    for (const [i, split] of this.splits(text).entries()) {
      for (const token of split.tokens ?? this.modelPart.tokenize(split.text.text)) {
        const range: Offsets = split.text.originalRange(token.start, token.end) ?? [token.start, token.end]
        ids.push(token.id)
        columns.tokens.push(token.value)
        columns.words.push(word ?? i)
        columns.unitOffsets.push(range)
        columns.offsets.push(toCodePoints(range))
      }
    }
    encoding.typeIds = new Array<number>(ids.length).fill(typeId)
    encoding.specialTokensMask = new Array<number>(ids.length).fill(0)
    encoding.attentionMask = new Array<number>(ids.length).fill(1)
    encoding.columns = columns
    return encoding
  }

  /** Text of ids; ids that are unknown are passed over. */
  decode(ids: Iterable<number>, { skipSpecialTokens = false }: { readonly skipSpecialTokens?: boolean } = {}): string {
    const tokens: string[] = []
    for (const id of ids) {
      const token = this.idToToken(id)
      if (token !== undefined && !(skipSpecialTokens && this.added.isSpecial(token))) tokens.push(token)
    }
    return this.decoderPart ? this.decoderPart(tokens).join('') : tokens.join(' ')
  }

  /** Learns the model anew from texts, cut as this tokenizer cuts them. */
  train(texts: Iterable<string>, trainer: Trainer): void {
    const words = new Map<string, number>()
    for (const text of texts) for (const word of this.preTokenize(text)) words.set(word, (words.get(word) ?? 0) + 1)
    this.setModel(trainer.train(words, this.modelPart))
    this.addSpecialTokens(trainer.specialTokens)
  }

  /** Decodes ids as they come; see {@link DecodeStream}. */
  decodeStream(options: { readonly skipSpecialTokens?: boolean } = {}): DecodeStream {
    return new DecodeStream((ids) => this.decode(ids, options))
  }

  /** The tokenizer as a tokenizer.json holds it. */
  toJSON(): JsonObject {
    return {
      version: '1.0',
      truncation: truncationToJson(this.truncation),
      padding: paddingToJson(this.padding),
      added_tokens: this.added.entries().map(([id, token]) => ({
        id,
        content: token.content,
        single_word: token.singleWord,
        lstrip: token.lstrip,
        rstrip: token.rstrip,
        normalized: token.normalized,
        special: token.special,
      })),
      ...this.parts,
      model: this.modelPart.toJSON(),
    }
  }
}

function partsOf(text: AlignedText, parts: ReturnType<AddedVocabulary['splitPlain']>): Split[] {
  if (!parts) return text.text.length > 0 ? [{ text, tokens: null }] : []
  return parts
    .filter(({ start, end }) => end > start)
    .map(({ start, end, id }) => {
      const part = text.slice(start, end)
      return { text: part, tokens: id === null ? null : [{ id, value: part.text, start: 0, end: end - start }] }
    })
}

/** Converts ranges of UTF-16 units to code points. */
function codePointOffsets(text: string): (range: Offsets) => Offsets {
  let counts: Int32Array | null = null
  for (let i = 0; i < text.length; i++) {
    const low = (text.charCodeAt(i) & 0xfc00) === 0xdc00
    if (low && !counts) {
      counts = new Int32Array(text.length + 1)
      for (let j = 0; j <= i; j++) counts[j] = j
    }
    if (counts) counts[i + 1] = low ? counts[i] : counts[i] + 1
  }
  if (!counts) return (range) => range
  const table = counts
  return ([start, end]) => [table[start] ?? start, table[end] ?? end]
}

/** Parses the text of a tokenizer.json. @throws FormatError where it is not JSON or not a tokenizer */
export function parseTokenizerJson(text: string, where = 'tokenizer.json'): Tokenizer {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    throw new FormatError(`${where}: not valid JSON (${error instanceof Error ? error.message : String(error)})`)
  }
  return Tokenizer.fromJson(json, where)
}
