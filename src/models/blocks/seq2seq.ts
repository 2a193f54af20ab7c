/** What models with an encoder and a decoder share. Shapes: B batch, S source tokens, T target tokens, H features. */
import { asTensor, cat, full, type Tensor, type TensorLike, where } from '../../tensor/index.js'
import type { BaseConfig } from '../pretrained/config.js'
import type { ModelInputs, ModelOutput } from '../pretrained/io.js'
import type { Recorder } from './outputs.js'

/** Labels as the decoder's input: moved to the right by one, starting with the decoder's first token; -100 becomes padding. */
export function shiftRight(
  labels: TensorLike,
  { decoder_start_token_id: start, pad_token_id: padding }: BaseConfig,
): Tensor {
  if (start === null || padding === null)
    throw new TypeError('labels need a decoder_start_token_id and a pad_token_id in the config')
  const given = asTensor(labels).to('i32')
  const [batch, tokens] = given.shape
  const moved = cat([full([batch, 1], start, { dtype: 'i32' }), given.narrow(1, 0, tokens - 1)], 1)
  return where(moved.eq(-100), padding, moved).to('i32')
}

/** What an encoder found, under the names that outputs give it. */
export function encoderFields(states: Tensor, recorder: Recorder | null): ModelOutput {
  const { hidden_states, attentions } = recorder?.outputs ?? {}
  return {
    encoder_last_hidden_state: states,
    ...(hidden_states ? { encoder_hidden_states: hidden_states } : {}),
    ...(attentions ? { encoder_attentions: attentions } : {}),
  }
}

/** What a decoder recorded, under the names that outputs give it. */
export function decoderFields(recorder: Recorder): ModelOutput {
  const { hidden_states, attentions, cross_attentions } = recorder.outputs
  return {
    ...(hidden_states ? { decoder_hidden_states: hidden_states } : {}),
    ...(attentions ? { decoder_attentions: attentions } : {}),
    ...(cross_attentions ? { cross_attentions } : {}),
  }
}

/** The fields that a head passes on. */
export function passedSeq2Seq(output: ModelOutput): ModelOutput {
  const { last_hidden_state: _states, logits: _logits, loss: _loss, ...rest } = output
  return rest
}

/** The encoder's inputs alone: what the decoder is given goes by other names. */
export const sourceInputs = (inputs: ModelInputs): ModelInputs => ({
  input_ids: inputs.input_ids,
  inputs_embeds: inputs.inputs_embeds,
  attention_mask: inputs.attention_mask,
  output_hidden_states: inputs.output_hidden_states,
  output_attentions: inputs.output_attentions,
})

/** The decoder's inputs under the names of a decoder of its own; from the labels where nothing else is given. */
export function targetInputs(inputs: ModelInputs, config: BaseConfig): ModelInputs {
  const { decoder_input_ids: ids, decoder_inputs_embeds: vectors, labels } = inputs
  const missing = (ids === null || ids === undefined) && (vectors === null || vectors === undefined)
  if (missing && (labels === null || labels === undefined)) throw new TypeError('give decoder_input_ids or labels')
  return {
    input_ids: missing ? shiftRight(labels as TensorLike, config) : ids,
    inputs_embeds: vectors,
    attention_mask: inputs.decoder_attention_mask,
    past_key_values: inputs.past_key_values,
    output_hidden_states: inputs.output_hidden_states,
    output_attentions: inputs.output_attentions,
  }
}
