/** T5 (Raffel et al. 2020): relative places as biases of the scores, norms without means, no biases of maps. */
import { Module, torch } from '../nn/index.js'
import { add, mul, type Parameter, permute, type Tensor, take, tensor, unsqueeze } from '../tensor/index.js'
import type { CacheShape } from './blocks/cache.js'
import { keysOf, positionsAfter } from './blocks/decoder.js'
import { embed, tokenVectors } from './blocks/embeddings.js'
import { EncoderModel, TokenClassifier } from './blocks/heads.js'
import { tokenLoss } from './blocks/losses.js'
import { additive, both, causalMask, keyMask, type Mask } from './blocks/masks.js'
import { lossOf, Recorder, spanOutput } from './blocks/outputs.js'
import { distanceBucket } from './blocks/relative.js'
import {
  decoderFields,
  encoderFields,
  passedSeq2Seq,
  shiftRight,
  sourceInputs,
  targetInputs,
} from './blocks/seq2seq.js'
import { EndTokenClassifier } from './blocks/seq2seq-heads.js'
import { T5Block, type T5SelfLayer, t5Norm } from './blocks/t5-layers.js'
import { type ConfigOf, defineConfig } from './pretrained/config.js'
import { defineModels } from './pretrained/definition.js'
import type { BaseModelOutput, LogitsOutput, ModelInputs } from './pretrained/io.js'
import { type Family, PreTrainedModel } from './pretrained/model.js'

const config = defineConfig({
  model_type: 't5',
  defaults: {
    is_encoder_decoder: true,
    vocab_size: 32128,
    d_model: 512,
    d_kv: 64,
    d_ff: 2048,
    num_layers: 6,
    num_decoder_layers: null as number | null,
    num_heads: 8,
    relative_attention_num_buckets: 32,
    relative_attention_max_distance: 128,
    dropout_rate: 0.1,
    layer_norm_epsilon: 1e-6,
    initializer_factor: 1,
    feed_forward_proj: 'relu',
    scale_decoder_outputs: true,
    classifier_dropout: 0,
    pad_token_id: 0 as number | null,
    eos_token_id: 1 as number | readonly number[] | null,
  },
  aliases: {
    hidden_size: 'd_model',
    num_attention_heads: 'num_heads',
    num_hidden_layers: 'num_layers',
    head_dim: 'd_kv',
  },
  upgrade: (json) => ({
    ...json,
    // Version 1.1 said so by not tying its weights.
    scale_decoder_outputs: json.scale_decoder_outputs ?? json.tie_word_embeddings !== false,
  }),
})
export type T5Config = ConfigOf<typeof config>

const family: Family = {
  config,
  prefix: 'transformer',
  ignored: /(^|\.)EncDecAttention\.relative_attention_bias\./,
}

/** The encoder, or the decoder where `source` states are given. */
class Stack extends Module {
  readonly embed_tokens: torch.Embedding
  readonly block: readonly T5Block[]
  readonly final_layer_norm: torch.RMSNorm
  readonly dropout: torch.Dropout

  constructor(
    private readonly settings: T5Config,
    tokens: torch.Embedding,
    private readonly decoder: boolean,
  ) {
    super()
    const { num_layers: own, num_decoder_layers: other } = settings
    this.embed_tokens = tokens
    this.block = Array.from({ length: decoder ? (other ?? own) : own }, (_, i) => new T5Block(settings, decoder, i))
    this.final_layer_norm = t5Norm(settings)
    this.dropout = new torch.Dropout(settings.dropout_rate)
  }

  /** Biases by relative place [1, heads, T, S]; the queries start at place `start`. */
  private bias(queries: number, keys: number, start: number | Tensor): Tensor {
    const table = (this.block[0].layer[0] as T5SelfLayer).SelfAttention.relative_attention_bias as torch.Embedding
    const options = {
      buckets: this.settings.relative_attention_num_buckets,
      maxDistance: this.settings.relative_attention_max_distance,
      bidirectional: !this.decoder,
    }
    const reach = keys - 1
    const buckets = Int32Array.from({ length: 2 * reach + 1 }, (_, i) => distanceBucket(i - reach, options))
    const distances = positionsAfter(keys, 0).sub(positionsAfter(queries, start).reshape(queries, 1))
    const values = embed(table, take(tensor(buckets), distances.add(reach), 0))
    return unsqueeze(permute(values, [2, 0, 1]), 0)
  }

  forward(inputs: ModelInputs, recorder: Recorder, source: Tensor | null, sourceMask: Mask): Tensor {
    const cache = inputs.past_key_values ?? null
    let x = this.dropout.forward(tokenVectors(this.embed_tokens, inputs))
    const tokens = x.shape[1]
    const keys = cache?.capacity ?? tokens
    const start = cache ? cache.length.value : 0
    const given = keysOf(inputs.attention_mask, keys)
    const mask = this.decoder ? both(given, causalMask(tokens, keys, start)) : given
    const places = this.bias(tokens, keys, start)
    const bias = mask ? add(places, additive(mask)) : places
    for (const block of this.block) {
      recorder.state(x)
      x = block.forward(x, { recorder, bias, cache, source, sourceMask })
    }
    x = this.dropout.forward(this.final_layer_norm.forward(x))
    recorder.state(x)
    cache?.advance(tokens)
    return x
  }
}

/** Encoder and decoder over shared vectors of tokens. */
abstract class T5Base extends PreTrainedModel<T5Config> {
  static override readonly family: Family = family
  readonly shared: torch.Embedding
  readonly encoder: Stack
  readonly decoder: Stack

  constructor(settings: T5Config) {
    super(settings)
    this.shared = new torch.Embedding(settings.vocab_size, settings.d_model)
    this.encoder = new Stack(settings, this.shared, false)
    this.decoder = new Stack(settings, this.shared, true)
  }

  protected override get initStd(): number {
    return this.config.initializer_factor * this.config.d_model ** -0.5
  }

  override inputEmbeddings(): torch.Embedding {
    return this.shared
  }

  override cacheShapes(): readonly CacheShape[] {
    const { num_heads: heads, d_kv: width } = this.config
    return this.decoder.block.map(() => ({ heads, keyWidth: width, valueWidth: width }))
  }

  override encode(inputs: ModelInputs): Tensor {
    return this.encoder.forward(sourceInputs(inputs), new Recorder(this.config, {}), null, null)
  }

  protected states(inputs: ModelInputs): BaseModelOutput {
    const given = inputs.encoder_outputs?.last_hidden_state
    const recorder = given ? null : new Recorder(this.config, inputs)
    const source = given ?? this.encoder.forward(sourceInputs(inputs), recorder as Recorder, null, null)
    const own = new Recorder(this.config, inputs, true)
    const target = targetInputs(inputs, this.config)
    const last_hidden_state = this.decoder.forward(target, own, source, keyMask(inputs.attention_mask))
    const cache = inputs.past_key_values ? { past_key_values: inputs.past_key_values } : {}
    return { last_hidden_state, ...encoderFields(source, recorder), ...decoderFields(own), ...cache }
  }
}

export class T5Model extends T5Base {
  override forward(inputs: ModelInputs): BaseModelOutput {
    return this.states(inputs)
  }
}

/** Scores of the target's tokens [B, T, V]; `labels` [B, T], -100 where a token does not count. */
export class T5ForConditionalGeneration extends T5Base {
  readonly lm_head: torch.Linear

  constructor(settings: T5Config) {
    super(settings)
    const weight = settings.tie_word_embeddings ? this.shared.weight : undefined
    this.lm_head = new torch.Linear(settings.d_model, settings.vocab_size, { bias: false, weight })
  }

  override vocabularyParameters(): readonly Parameter[] {
    return [this.lm_head.weight]
  }

  override forward(inputs: ModelInputs): LogitsOutput {
    const base = this.states(inputs)
    const { last_hidden_state: states } = base
    const { scale_decoder_outputs: scaled, d_model: width } = this.config
    const logits = this.lm_head.forward(scaled ? mul(states, width ** -0.5) : states)
    return { ...lossOf(inputs.labels, (labels) => tokenLoss(logits, labels)), logits, ...passedSeq2Seq(base) }
  }
}

/** The encoder alone. */
export class T5EncoderModel extends EncoderModel<T5Config> {
  static override readonly family: Family = { ...family, ignored: /^decoder\.|^lm_head\./ }
  readonly shared: torch.Embedding
  readonly encoder: Stack

  constructor(settings: T5Config) {
    super(settings)
    this.shared = new torch.Embedding(settings.vocab_size, settings.d_model)
    this.encoder = new Stack(settings, this.shared, false)
  }

  override inputEmbeddings(): torch.Embedding {
    return this.shared
  }

  override forward(inputs: ModelInputs): BaseModelOutput {
    const recorder = new Recorder(this.config, inputs)
    const last_hidden_state = this.encoder.forward(sourceInputs(inputs), recorder, null, null)
    return { last_hidden_state, ...recorder.outputs }
  }
}

/** Scores of the text [B, L] by the decoder's state at the last end token. */
export class T5ForSequenceClassification extends EndTokenClassifier<T5Config> {
  static override readonly family: Family = family
  constructor(settings: T5Config) {
    super(settings, new T5Model(settings), settings.d_model)
  }
}

/** Scores of the tokens [B, T, L] by the encoder alone; `labels` [B, T]. */
export class T5ForTokenClassification extends TokenClassifier<T5Config> {
  static override readonly family: Family = { ...family, ignored: /^(transformer\.)?decoder\.|^lm_head\./ }
  constructor(settings: T5Config) {
    const { classifier_dropout: dropout, d_model: width, num_labels: labels } = settings
    super(settings, new T5EncoderModel(settings), { dropout, width, labels })
  }
}

/** Scores of the first and last token of an answer, [B, T] each. */
export class T5ForQuestionAnswering extends T5Base {
  readonly qa_outputs: torch.Linear

  constructor(settings: T5Config) {
    super(settings)
    this.qa_outputs = new torch.Linear(settings.d_model, settings.num_labels)
  }

  override forward(inputs: ModelInputs): BaseModelOutput {
    if (inputs.input_ids === null || inputs.input_ids === undefined) throw new TypeError('this head needs input_ids')
    const decoder_input_ids = inputs.decoder_input_ids ?? shiftRight(inputs.input_ids, this.config)
    const base = this.states({ ...inputs, decoder_input_ids })
    return { ...base, ...spanOutput(this.qa_outputs.forward(base.last_hidden_state), inputs, {}) }
  }
}

export default defineModels({
  config,
  classes: {
    T5Model,
    T5ForConditionalGeneration,
    T5EncoderModel,
    T5ForSequenceClassification,
    T5ForTokenClassification,
    T5ForQuestionAnswering,
  },
})
