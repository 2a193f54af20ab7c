import type { PreTrainedModel } from '../models/index.js'
import type { LogitsProcessor } from './processors.js'
import * as processors from './processors.js'
import * as warpers from './warpers.js'

/** How text is generated: the fields of `generation_config.json`. */
export interface GenerationOptions {
  readonly max_new_tokens?: number | null
  /** Prompt included; `max_new_tokens` wins. Default 20 new tokens. */
  readonly max_length?: number | null
  readonly min_length?: number | null
  readonly min_new_tokens?: number | null
  readonly do_sample?: boolean | null
  readonly num_beams?: number | null
  readonly num_return_sequences?: number | null
  readonly length_penalty?: number | null
  readonly early_stopping?: boolean | 'never' | null
  readonly temperature?: number | null
  readonly top_k?: number | null
  readonly top_p?: number | null
  readonly min_p?: number | null
  readonly typical_p?: number | null
  readonly top_h?: number | null
  readonly epsilon_cutoff?: number | null
  readonly eta_cutoff?: number | null
  readonly repetition_penalty?: number | null
  readonly encoder_repetition_penalty?: number | null
  readonly no_repeat_ngram_size?: number | null
  readonly encoder_no_repeat_ngram_size?: number | null
  readonly bad_words_ids?: readonly (readonly number[])[] | null
  readonly sequence_bias?: readonly (readonly [readonly number[], number])[] | null
  readonly forced_bos_token_id?: number | null
  readonly forced_eos_token_id?: processors.Ids | null
  readonly remove_invalid_values?: boolean | null
  readonly exponential_decay_length_penalty?: readonly [number, number] | null
  readonly suppress_tokens?: readonly number[] | null
  readonly begin_suppress_tokens?: readonly number[] | null
  readonly renormalize_logits?: boolean | null
  readonly pad_token_id?: number | null
  readonly bos_token_id?: number | null
  readonly eos_token_id?: processors.Ids | null
  readonly decoder_start_token_id?: number | null
}

const FROM_CONFIG = [
  'pad_token_id',
  'bos_token_id',
  'eos_token_id',
  'decoder_start_token_id',
  'forced_bos_token_id',
  'forced_eos_token_id',
  'bad_words_ids',
  'num_beams',
  'max_length',
  'min_length',
  'length_penalty',
  'early_stopping',
  'no_repeat_ngram_size',
  'suppress_tokens',
  'begin_suppress_tokens',
] as const

/** Options of a model's files with those of the call over them. Fields that old files keep in `config.json` count, too. */
export function generationOptions(model: PreTrainedModel, options: GenerationOptions): GenerationOptions {
  const config = model.config as unknown as Record<string, unknown>
  const { raw } = model.config
  const old = Object.fromEntries(
    FROM_CONFIG.flatMap((name) => {
      const value = raw[name] ?? config[name]
      return value === undefined || value === null ? [] : [[name, value]]
    }),
  )
  const file = Object.fromEntries(Object.entries(model.generationConfig ?? {}).filter(([, value]) => value !== null))
  return { ...(model.generationConfig ? idsOnly(old) : old), ...file, ...options } as GenerationOptions
}

const idsOnly = (old: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(old).filter(([name]) => name.endsWith('token_id') && !name.startsWith('forced')))

export interface ProcessorContext {
  /** Tokens of the decoder before the first new one. */
  readonly promptLength: number
  readonly maxLength: number
  /** Padding on the left of each row of the prompt. */
  readonly paddings?: readonly number[]
  readonly encoderIds?: readonly (readonly number[])[]
}

const set = <T>(value: T | null | undefined): value is T => value !== null && value !== undefined

/** The changes of scores that options ask for, in transformers' order. */
export function processorsOf(options: GenerationOptions, context: ProcessorContext): LogitsProcessor[] {
  const { promptLength, maxLength, encoderIds } = context
  const o = options
  const ends = o.eos_token_id
  const list: LogitsProcessor[] = []
  const put = <T>(value: T | null | undefined, make: (value: T) => LogitsProcessor, wanted = true): void => {
    if (set(value) && wanted) list.push(make(value))
  }
  put(o.sequence_bias, processors.sequenceBias)
  if (encoderIds)
    put(
      o.encoder_repetition_penalty,
      (p) => processors.encoderRepetitionPenalty(p, encoderIds),
      o.encoder_repetition_penalty !== 1,
    )
  put(o.repetition_penalty, (p) => processors.repetitionPenalty(p, context.paddings), o.repetition_penalty !== 1)
  put(o.no_repeat_ngram_size, processors.noRepeatNgram, (o.no_repeat_ngram_size ?? 0) > 0)
  if (encoderIds)
    put(
      o.encoder_no_repeat_ngram_size,
      (n) => processors.encoderNoRepeatNgram(n, encoderIds),
      (o.encoder_no_repeat_ngram_size ?? 0) > 0,
    )
  put(o.bad_words_ids, (words) => processors.noBadWords(words, ends))
  if (set(ends)) {
    put(o.min_length, (n) => processors.minLength(n, ends), (o.min_length ?? 0) > 0)
    put(o.min_new_tokens, (n) => processors.minNewTokens(promptLength, n, ends), (o.min_new_tokens ?? 0) > 0)
  }
  put(o.forced_bos_token_id, processors.forcedBos)
  put(o.forced_eos_token_id, (id) => processors.forcedEos(maxLength, id))
  if (o.remove_invalid_values) list.push(processors.removeInvalid)
  if (set(ends))
    put(o.exponential_decay_length_penalty, (decay) => processors.exponentialDecay(decay, ends, promptLength))
  put(o.suppress_tokens, processors.suppressTokens)
  const begin = promptLength > 1 || !set(o.forced_bos_token_id) ? promptLength : promptLength + 1
  put(o.begin_suppress_tokens, (tokens) => processors.suppressAtBegin(tokens, begin))
  if (o.do_sample) list.push(...warpersOf(o))
  if (o.renormalize_logits) list.push(warpers.normalise)
  return list
}

function warpersOf(o: GenerationOptions): LogitsProcessor[] {
  const ends = set(o.eos_token_id) ? processors.idsOf(o.eos_token_id).length : 1
  const keep = (o.num_beams ?? 1) > 1 ? ends + 1 : 1
  const list: LogitsProcessor[] = []
  if (set(o.temperature) && o.temperature !== 1) list.push(warpers.temperature(o.temperature))
  if (set(o.top_h)) list.push(warpers.topH(o.top_h))
  const k = o.top_k === undefined ? 50 : o.top_k
  if (k) list.push(warpers.topK(k, keep))
  if (set(o.top_p) && o.top_p < 1) list.push(warpers.topP(o.top_p, keep))
  if (set(o.min_p)) list.push(warpers.minP(o.min_p, keep))
  if (set(o.typical_p) && o.typical_p < 1) list.push(warpers.typical(o.typical_p, keep))
  if (set(o.epsilon_cutoff) && o.epsilon_cutoff > 0 && o.epsilon_cutoff < 1)
    list.push(warpers.epsilonCutoff(o.epsilon_cutoff, keep))
  if (set(o.eta_cutoff) && o.eta_cutoff > 0 && o.eta_cutoff < 1) list.push(warpers.etaCutoff(o.eta_cutoff, keep))
  return list
}
