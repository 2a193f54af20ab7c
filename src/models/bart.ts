/** BART (Lewis et al. 2020). */
import { Module, torch } from '../nn/index.js'
import { argmax, asTensor, eq, expand, gather, iota, mul, reshape, type Tensor, tanh } from '../tensor/index.js'
import { ConditionalGeneration, TextToText } from './blocks/bart-layers.js'
import { Headed } from './blocks/heads.js'
import { classLoss } from './blocks/losses.js'
import { lossOf, spanOutput } from './blocks/outputs.js'
import { LearnedPlaces } from './blocks/positions.js'
import { passedSeq2Seq, shiftRight } from './blocks/seq2seq.js'
import { type ConfigOf, defineConfig } from './pretrained/config.js'
import { defineModels } from './pretrained/definition.js'
import type { LogitsOutput, ModelInputs, ModelOutput } from './pretrained/io.js'
import type { Family } from './pretrained/model.js'

export const bartDefaults = {
  is_encoder_decoder: true,
  vocab_size: 50265,
  max_position_embeddings: 1024,
  encoder_layers: 12,
  encoder_ffn_dim: 4096,
  encoder_attention_heads: 16,
  decoder_layers: 12,
  decoder_ffn_dim: 4096,
  decoder_attention_heads: 16,
  activation_function: 'gelu',
  d_model: 1024,
  dropout: 0.1,
  attention_dropout: 0,
  activation_dropout: 0,
  init_std: 0.02,
  classifier_dropout: 0,
  scale_embedding: false,
  pad_token_id: 1 as number | null,
  bos_token_id: 0 as number | null,
  eos_token_id: 2 as number | readonly number[] | null,
  decoder_start_token_id: 2 as number | null,
}

export const bartAliases = {
  num_attention_heads: 'encoder_attention_heads',
  hidden_size: 'd_model',
  num_hidden_layers: 'encoder_layers',
}

const config = defineConfig({ model_type: 'bart', defaults: bartDefaults, aliases: bartAliases })
export type BartConfig = ConfigOf<typeof config>

const family: Family = { config, prefix: 'model', optional: /^final_logits_bias$/ }

export class BartModel extends TextToText<BartConfig> {
  static override readonly family: Family = family
  constructor(settings: BartConfig) {
    const { max_position_embeddings: places, d_model: width } = settings
    super(settings, settings.vocab_size, {
      preNorm: false,
      embedNorm: true,
      places: () => new LearnedPlaces(places, width, 2),
    })
  }
}

export class BartForConditionalGeneration extends ConditionalGeneration<BartConfig> {
  static override readonly family: Family = family
  constructor(settings: BartConfig) {
    super(settings, new BartModel(settings), { vocabSize: settings.vocab_size, biased: true })
  }
}

class ClassificationHead extends Module {
  readonly dense: torch.Linear
  readonly dropout: torch.Dropout
  readonly out_proj: torch.Linear

  constructor({ d_model: width, classifier_dropout: p, num_labels: labels }: BartConfig) {
    super()
    this.dense = new torch.Linear(width, width)
    this.dropout = new torch.Dropout(p)
    this.out_proj = new torch.Linear(width, labels)
  }

  forward(x: Tensor): Tensor {
    const inner = tanh(this.dense.forward(this.dropout.forward(x)))
    return this.out_proj.forward(this.dropout.forward(inner))
  }
}

/** The text as the decoder's input too, for heads on what the decoder makes of it. */
const twice = (inputs: ModelInputs, settings: BartConfig): ModelInputs => {
  if (inputs.input_ids === null || inputs.input_ids === undefined) throw new TypeError('this head needs input_ids')
  return { ...inputs, decoder_input_ids: inputs.decoder_input_ids ?? shiftRight(inputs.input_ids, settings) }
}

/** Scores of the text [B, L] by the decoder's state at the last end token. */
export class BartForSequenceClassification extends Headed<BartConfig> {
  static override readonly family: Family = family
  readonly classification_head: ClassificationHead

  constructor(settings: BartConfig) {
    super(settings, new BartModel(settings))
    this.classification_head = new ClassificationHead(settings)
  }

  override forward(inputs: ModelInputs): LogitsOutput {
    const base = this.base.forward(twice(inputs, this.config))
    const states = base.last_hidden_state
    const [batch, tokens, width] = states.shape
    const { eos_token_id: end } = this.config
    const ends = eq(asTensor(inputs.input_ids as Tensor), typeof end === 'number' ? end : 2).to('i32')
    const last = argmax(mul(ends, iota([1, tokens], 1)), 1)
    const state = gather(states, 1, expand(reshape(last, [batch, 1, 1]), [batch, 1, width])).squeeze(1)
    const logits = this.classification_head.forward(state)
    return {
      ...lossOf(inputs.labels, (labels) => classLoss(this.config, logits, labels)),
      logits,
      ...passedSeq2Seq(base),
    }
  }
}

/** Scores of the first and last token of an answer, [B, T] each. */
export class BartForQuestionAnswering extends Headed<BartConfig> {
  static override readonly family: Family = family
  readonly qa_outputs: torch.Linear

  constructor(settings: BartConfig) {
    super(settings, new BartModel(settings))
    this.qa_outputs = new torch.Linear(settings.d_model, settings.num_labels)
  }

  override forward(inputs: ModelInputs): ModelOutput {
    const base = this.base.forward(twice(inputs, this.config))
    return { ...passedSeq2Seq(base), ...spanOutput(this.qa_outputs.forward(base.last_hidden_state), inputs, {}) }
  }
}

export default defineModels({
  config,
  classes: { BartModel, BartForConditionalGeneration, BartForSequenceClassification, BartForQuestionAnswering },
})
