/** Tokenizers of the tokenizer.json format; `index.node.ts` adds what reads folders. */
export { type AddedToken, addedToken } from './added-vocabulary.js'
export { AlignedText } from './aligned-text.js'
export { byteAlphabet } from './byte-level.js'
export { DecodeStream } from './decode-stream.js'
export { buildDecoder, type Decoder } from './decoders.js'
export { Encoding, type Offsets } from './encoding.js'
export { Bpe, type BpeOptions } from './models/bpe.js'
export { buildModel } from './models/index.js'
export type { Model, Token } from './models/model.js'
export { Vocabulary } from './models/model.js'
export { Unigram, type UnigramOptions } from './models/unigram.js'
export { WordLevel } from './models/word-level.js'
export { WordPiece } from './models/word-piece.js'
export { buildNormalizer, type Normalizer } from './normalizers/index.js'
export { buildPostProcessor, type PostProcessor } from './post-processors.js'
export { buildPreTokenizer, type PreTokenizer } from './pre-tokenizers/index.js'
export { type PretrainedConfig, pretrainedConfig } from './pretrained/config.js'
export type { CallOptions } from './pretrained/options.js'
export {
  type BatchColumns,
  type CallableTokenizer,
  callable,
  type ModelTensors,
  PreTrainedTokenizer,
  type TextInput,
} from './pretrained/tokenizer.js'
export { SentencePieceProcessor } from './sentencepiece/processor.js'
export { type EncodeOptions, type InputSequence, parseTokenizerJson, Tokenizer } from './tokenizer.js'
export * from './training/index.js'
export type { PaddingOptions, TruncationOptions, TruncationStrategy } from './truncation.js'
