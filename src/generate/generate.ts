import type { ModelInputs, PreTrainedModel } from '../models/index.js'
import { asTensor, random, type Tensor, type TensorLike, tensor } from '../tensor/index.js'
import { beamSearch } from './beam.js'
import { type DecoderPlan, rowsOf, type StepDecoder, stepDecoder } from './decoder.js'
import { type GenerationOptions, generationOptions, processorsOf } from './options.js'
import { idsOf, type LogitsProcessor } from './processors.js'
import { bestToken, drawToken } from './warpers.js'

export interface GenerateCall {
  /** Further changes of scores, after those that options name. */
  readonly processors?: readonly LogitsProcessor[]
  /** Called with the new token of each row (greedy and sampling). */
  readonly onTokens?: (tokens: readonly number[]) => void
  readonly signal?: AbortSignal
}

export interface Generated {
  /** Tokens of each text, prompt included, padded on the right. */
  readonly sequences: number[][]
  /** Of beam search: log-probabilities over length^length_penalty. */
  readonly scores?: number[]
  /** Scores of the last step before they were changed (greedy and sampling). */
  readonly lastLogits?: Float32Array[]
}

const repeatRows = <T>(rows: readonly T[], times: number): T[] =>
  rows.flatMap((row) => Array.from({ length: times }, () => row))

interface Prepared {
  readonly plan: Omit<DecoderPlan, 'newTokens'>
  readonly paddings?: readonly number[]
  readonly encoderIds?: readonly (readonly number[])[]
}

/** Decoders alone: the prompt is the text. */
async function prepareDecoder(inputs: ModelInputs, times: number): Promise<Prepared> {
  if (inputs.input_ids === null || inputs.input_ids === undefined) throw new TypeError('generate needs input_ids')
  const ids = repeatRows(await rowsOf(inputs.input_ids), times)
  const given = inputs.attention_mask
  const mask =
    given === null || given === undefined ? ids.map((row) => row.map(() => 1)) : repeatRows(await rowsOf(given), times)
  const paddings = mask.map((row) => Math.max(row.indexOf(1), 0))
  const padded = paddings.some((count) => count > 0)
  return {
    plan: {
      prompt: ids,
      mask,
      inputs: ({ ids: input_ids, positions, mask: attention_mask, cache }) => ({
        input_ids,
        position_ids: positions,
        // Without padding there is nothing to hide but what causality hides.
        ...(padded ? { attention_mask } : {}),
        past_key_values: cache,
      }),
    },
    paddings,
  }
}

const INPUT_NAMES = ['input_ids', 'input_features', 'input_values', 'pixel_values', 'inputs_embeds'] as const

const batchOf = (inputs: ModelInputs): number => {
  const name = INPUT_NAMES.find((key) => inputs[key] !== null && inputs[key] !== undefined)
  if (!name) throw new TypeError(`generate needs one of ${INPUT_NAMES.join(', ')}`)
  return asTensor(inputs[name] as TensorLike).shape[0]
}

/** Encoders with decoders: the text is read once, the decoder starts with a token of its own. */
async function prepareSeq2Seq(
  model: PreTrainedModel,
  inputs: ModelInputs,
  options: GenerationOptions,
  times: number,
): Promise<Prepared> {
  const start = options.decoder_start_token_id ?? options.bos_token_id
  if (start === null || start === undefined) throw new TypeError('generate needs a decoder_start_token_id')
  const batch = batchOf(inputs)
  const given = inputs.decoder_input_ids
  const rows =
    given === null || given === undefined ? Array.from({ length: batch }, () => [start]) : await rowsOf(given)
  const prompt = repeatRows(rows, times)
  const order = tensor(
    Int32Array.from(
      repeatRows(
        Array.from({ length: batch }, (_, i) => i),
        times,
      ),
    ),
  )
  const states = model.encode(inputs)
  const spread = (x: Tensor): Tensor => (times === 1 ? x : x.indexSelect(0, order))
  const encoded = spread(states)
  // Computed now, so that later steps start from it.
  await encoded.data()
  const mask = inputs.attention_mask
  const attention_mask = mask === null || mask === undefined ? null : spread(asTensor(mask))
  const encoderIds = inputs.input_ids ? repeatRows(await rowsOf(inputs.input_ids), times) : undefined
  return {
    plan: {
      prompt,
      mask: prompt.map((row) => row.map(() => 1)),
      sources: encoded.shape[1],
      inputs: ({ ids, cache }) => ({
        encoder_outputs: { last_hidden_state: encoded },
        ...(attention_mask ? { attention_mask } : {}),
        decoder_input_ids: ids,
        past_key_values: cache,
      }),
    },
    encoderIds,
  }
}

interface Limits {
  readonly maxLength: number
  readonly ends: readonly number[]
  readonly padding: number
}

async function choose(scores: readonly Float32Array[], sample: boolean): Promise<number[]> {
  if (!sample) return scores.map(bestToken)
  const u = await random.uniform([scores.length]).data()
  return scores.map((row, i) => drawToken(row, Number(u[i])))
}

/** One token a step: the best, or one drawn. */
async function singleSearch(
  decoder: StepDecoder,
  processors: readonly LogitsProcessor[],
  { maxLength, ends, padding }: Limits,
  sample: boolean,
  call: GenerateCall,
): Promise<Generated> {
  const sequences = decoder.prompt.map((row) => [...row])
  const done = sequences.map(() => false)
  let logits = await decoder.start()
  for (;;) {
    call.signal?.throwIfAborted()
    const scores = logits.map((row, i) => {
      const changed = row.slice()
      for (const process of processors) process(changed, sequences[i], i)
      return changed
    })
    const tokens = (await choose(scores, sample)).map((token, i) => (done[i] ? padding : token))
    for (const [i, token] of tokens.entries()) {
      sequences[i].push(token)
      done[i] ||= ends.includes(token)
    }
    call.onTokens?.(tokens)
    if (done.every((is) => is) || sequences[0].length >= maxLength) break
    logits = await decoder.next(tokens)
  }
  return { sequences, lastLogits: logits }
}

/**
 * Generates text after prompts: greedy, sampled, or by beam search, with the options of transformers' `generate`. Options that are not
 * given come from the model's files.
 * @throws TypeError for a model that generates no text, or missing inputs
 */
export async function generate(
  model: PreTrainedModel,
  inputs: ModelInputs,
  options: GenerationOptions = {},
  call: GenerateCall = {},
): Promise<Generated> {
  const all = generationOptions(model, options)
  const beams = all.num_beams ?? 1
  const returned = all.num_return_sequences ?? 1
  const sample = all.do_sample ?? false
  if (beams > 1 && sample)
    throw new RangeError('beam search with sampling is not supported: set num_beams to 1 or do_sample to false')
  if (beams > 1 ? returned > beams : returned > 1 && !sample)
    throw new RangeError(`num_return_sequences ${returned} needs sampling or as many beams`)
  const times = beams > 1 ? beams : returned
  const prepared = model.config.is_encoder_decoder
    ? await prepareSeq2Seq(model, inputs, all, times)
    : await prepareDecoder(inputs, times)
  const length = prepared.plan.prompt[0].length
  const maxLength = all.max_new_tokens ? length + all.max_new_tokens : (all.max_length ?? length + 20)
  if (maxLength <= length) throw new RangeError(`the prompt has ${length} tokens, max_length is ${maxLength}`)
  const ends = all.eos_token_id === null || all.eos_token_id === undefined ? [] : idsOf(all.eos_token_id)
  const padding = all.pad_token_id ?? ends[0] ?? 0
  const { paddings, encoderIds } = prepared
  const processors = [
    ...processorsOf(all, { promptLength: length, maxLength, paddings, encoderIds }),
    ...(call.processors ?? []),
  ]
  const decoder = stepDecoder(model, { ...prepared.plan, newTokens: maxLength - length })
  if (beams === 1) return singleSearch(decoder, processors, { maxLength, ends, padding }, sample, call)
  return beamSearch(
    decoder,
    processors,
    {
      beams,
      returned,
      lengthPenalty: all.length_penalty ?? 1,
      earlyStopping: all.early_stopping ?? false,
      maxLength,
      ends,
      // As in the reference, where a padding token of 0 counts as none here.
      padding: ends.length > 0 ? all.pad_token_id || ends[0] : -1,
    },
    call.signal,
  )
}
