import { type LogitsProcessor, processors, warpers } from '../../generate/index.js'
import { type Comparison, compareValues, joinComparisons, type Values } from '../compare.js'
import { runFiles } from '../files.js'
import type { GoldenCase, GoldenTensors } from '../golden.js'
import { UnsupportedError } from '../unsupported.js'

interface ProcessorCase extends GoldenCase {
  readonly chain: readonly { readonly processor: string; readonly kwargs: Readonly<Record<string, unknown>> }[]
  readonly u: readonly number[]
  readonly inverse_cdf_tokens: readonly (readonly number[])[]
}

type Kwargs = Readonly<Record<string, unknown>>
type Ids = processors.Ids

const number = (kwargs: Kwargs, name: string): number => kwargs[name] as number
const keep = (kwargs: Kwargs): number => (kwargs.min_tokens_to_keep as number | undefined) ?? 1
const rows = (kwargs: Kwargs): number[][] => kwargs.encoder_input_ids as number[][]

/** Our functions by the names of transformers' classes. */
const MAKE: Readonly<Record<string, (kwargs: Kwargs) => LogitsProcessor>> = {
  TemperatureLogitsWarper: (k) => warpers.temperature(number(k, 'temperature')),
  TopKLogitsWarper: (k) => warpers.topK(number(k, 'top_k'), keep(k)),
  TopPLogitsWarper: (k) => warpers.topP(number(k, 'top_p'), keep(k)),
  MinPLogitsWarper: (k) => warpers.minP(number(k, 'min_p'), keep(k)),
  TypicalLogitsWarper: (k) => warpers.typical(number(k, 'mass'), keep(k)),
  EpsilonLogitsWarper: (k) => warpers.epsilonCutoff(number(k, 'epsilon'), keep(k)),
  EtaLogitsWarper: (k) => warpers.etaCutoff(number(k, 'epsilon'), keep(k)),
  TopHLogitsWarper: (k) => warpers.topH(number(k, 'top_h')),
  RepetitionPenaltyLogitsProcessor: (k) => {
    const ignored = k.prompt_ignore_length as number | undefined
    const penalty = number(k, 'penalty')
    return (scores, ids, row) => processors.repetitionPenalty(penalty)(scores, ids.slice(ignored ?? 0), row)
  },
  EncoderRepetitionPenaltyLogitsProcessor: (k) => processors.encoderRepetitionPenalty(number(k, 'penalty'), rows(k)),
  NoRepeatNGramLogitsProcessor: (k) => processors.noRepeatNgram(number(k, 'ngram_size')),
  EncoderNoRepeatNGramLogitsProcessor: (k) => processors.encoderNoRepeatNgram(number(k, 'encoder_ngram_size'), rows(k)),
  NoBadWordsLogitsProcessor: (k) =>
    processors.noBadWords(k.bad_words_ids as number[][], (k.eos_token_id as Ids | undefined) ?? null),
  SequenceBiasLogitsProcessor: (k) => processors.sequenceBias(k.sequence_bias as [number[], number][]),
  MinLengthLogitsProcessor: (k) => processors.minLength(number(k, 'min_length'), k.eos_token_id as Ids),
  MinNewTokensLengthLogitsProcessor: (k) =>
    processors.minNewTokens(number(k, 'prompt_length_to_skip'), number(k, 'min_new_tokens'), k.eos_token_id as Ids),
  SuppressTokensLogitsProcessor: (k) => processors.suppressTokens(k.suppress_tokens as number[]),
  SuppressTokensAtBeginLogitsProcessor: (k) =>
    processors.suppressAtBegin(k.begin_suppress_tokens as number[], number(k, 'begin_index')),
  ForcedBOSTokenLogitsProcessor: (k) => processors.forcedBos(number(k, 'bos_token_id')),
  ForcedEOSTokenLogitsProcessor: (k) => processors.forcedEos(number(k, 'max_length'), k.eos_token_id as Ids),
  ExponentialDecayLengthPenalty: (k) =>
    processors.exponentialDecay(
      k.exponential_decay_length_penalty as [number, number],
      k.eos_token_id as Ids,
      number(k, 'input_ids_seq_length'),
    ),
  InfNanRemoveLogitsProcessor: () => processors.removeInvalid,
  LogitNormalization: () => warpers.normalise,
}

/** Removed tokens get `value`; default -Infinity. */
function filledWith(value: number | undefined, process: LogitsProcessor): LogitsProcessor {
  if (value === undefined) return process
  return (scores, ids, row) => {
    process(scores, ids, row)
    for (let i = 0; i < scores.length; i++) if (scores[i] === Number.NEGATIVE_INFINITY) scores[i] = value
  }
}

function chainOf(record: ProcessorCase): LogitsProcessor[] {
  return record.chain.map(({ processor, kwargs }) => {
    if (!Object.hasOwn(MAKE, processor)) throw new UnsupportedError(processor)
    return filledWith(kwargs.filter_value as number | undefined, MAKE[processor](kwargs))
  })
}

const floats = (want: Values, data: readonly number[]): Values => ({ dtype: 'f32', shape: want.shape, data })

async function compareChain(record: ProcessorCase, file: GoldenTensors): Promise<Comparison> {
  const chain = chainOf(record)
  const ids = file.array(`${record.id}/input_ids`)
  const scores = file.array(`${record.id}/scores`)
  const [batch, vocabulary] = scores.shape
  const [want, probs] = [file.values(`${record.id}/out`), file.values(`${record.id}/probs`)]
  const out: number[] = []
  const chances: number[] = []
  const drawn: number[] = []
  for (let row = 0; row < batch; row++) {
    const line = Float32Array.from(scores.data.slice(row * vocabulary, (row + 1) * vocabulary) as Float32Array)
    const width = ids.shape[1]
    const before = Array.from(ids.data.slice(row * width, (row + 1) * width), Number)
    for (const process of chain) process(line, before, row)
    out.push(...line)
    chances.push(...warpers.softmaxRow(line))
    drawn.push(...record.u.map((u) => warpers.drawToken(line, u)))
  }
  const tokens = record.inverse_cdf_tokens.flat()
  const list = (data: readonly number[]): Values => ({ dtype: 'i32', shape: [data.length], data })
  return joinComparisons([
    compareValues(floats(want, out), want, { atol: 1e-6, rtol: 1e-6 }, `${record.id}/out`),
    compareValues(floats(probs, chances), probs, { atol: 1e-6, rtol: 0 }, `${record.id}/probs`),
    compareValues(list(drawn), list(tokens), { atol: 0, rtol: 0 }, `${record.id} drawn tokens`),
  ])
}

/** Chains of changes of scores, and draws from what they leave. */
export const runGeneration = runFiles({
  processors: async (record, file) => compareChain(record as ProcessorCase, await file()),
})
