/** ALBERT (Lan et al. 2020): layers shared by groups, narrow embeddings. */
import { Module, torch } from '../nn/index.js'
import { add, Parameter, type Tensor, tanh, zeros } from '../tensor/index.js'
import { type ActivationFn, activation } from './blocks/activations.js'
import { attend, splitHeads } from './blocks/attention.js'
import { BertEmbeddings } from './blocks/bert-embeddings.js'
import {
  ChoiceClassifier,
  type ClassifierOptions,
  EncoderModel,
  Headed,
  PooledClassifier,
  pooled,
  SpanFinder,
  scoredStates,
  TokenClassifier,
} from './blocks/heads.js'
import { tokenLoss } from './blocks/losses.js'
import { keyMask, type Mask } from './blocks/masks.js'
import { lossOf, passed, Recorder } from './blocks/outputs.js'
import { type ConfigOf, defineConfig } from './pretrained/config.js'
import { defineModels } from './pretrained/definition.js'
import type { BaseModelOutput, LogitsOutput, ModelInputs, ModelOutput } from './pretrained/io.js'
import type { Family } from './pretrained/model.js'

const config = defineConfig({
  model_type: 'albert',
  defaults: {
    vocab_size: 30000,
    embedding_size: 128,
    hidden_size: 4096,
    num_hidden_layers: 12,
    num_hidden_groups: 1,
    num_attention_heads: 64,
    intermediate_size: 16384,
    inner_group_num: 1,
    hidden_act: 'gelu_new',
    hidden_dropout_prob: 0,
    attention_probs_dropout_prob: 0,
    max_position_embeddings: 512,
    type_vocab_size: 2,
    initializer_range: 0.02,
    layer_norm_eps: 1e-12,
    classifier_dropout_prob: 0.1,
    pad_token_id: 0 as number | null,
    bos_token_id: 2 as number | null,
    eos_token_id: 3 as number | readonly number[] | null,
  },
})
export type AlbertConfig = ConfigOf<typeof config>

const family: Family = { config, prefix: 'albert', optional: /(^|\.)pooler\./ }

class Attention extends Module {
  readonly query: torch.Linear
  readonly key: torch.Linear
  readonly value: torch.Linear
  readonly dense: torch.Linear
  readonly LayerNorm: torch.LayerNorm
  readonly output_dropout: torch.Dropout

  constructor(private readonly settings: AlbertConfig) {
    super()
    const { hidden_size: width, num_attention_heads: heads } = settings
    if (width % heads !== 0) throw new RangeError(`hidden_size ${width} does not divide into ${heads} heads`)
    this.query = new torch.Linear(width, width)
    this.key = new torch.Linear(width, width)
    this.value = new torch.Linear(width, width)
    this.dense = new torch.Linear(width, width)
    this.LayerNorm = new torch.LayerNorm(width, { eps: settings.layer_norm_eps })
    this.output_dropout = new torch.Dropout(settings.hidden_dropout_prob)
  }

  forward(x: Tensor, mask: Mask, recorder: Recorder): Tensor {
    const heads = this.settings.num_attention_heads
    const [q, k, v] = [this.query, this.key, this.value].map((map) => splitHeads(map.forward(x), heads))
    const dropout = this.training ? this.settings.attention_probs_dropout_prob : 0
    const { output, weights } = attend(q, k, v, { mask, dropout, weights: recorder.wantsAttentions })
    recorder.attention(weights)
    return this.LayerNorm.forward(add(x, this.output_dropout.forward(this.dense.forward(output))))
  }
}

class Layer extends Module {
  readonly full_layer_layer_norm: torch.LayerNorm
  readonly attention: Attention
  readonly ffn: torch.Linear
  readonly ffn_output: torch.Linear
  readonly #act: ActivationFn

  constructor(settings: AlbertConfig) {
    super()
    const { hidden_size: width, intermediate_size: inner } = settings
    this.full_layer_layer_norm = new torch.LayerNorm(width, { eps: settings.layer_norm_eps })
    this.attention = new Attention(settings)
    this.ffn = new torch.Linear(width, inner)
    this.ffn_output = new torch.Linear(inner, width)
    this.#act = activation(settings.hidden_act)
  }

  forward(x: Tensor, mask: Mask, recorder: Recorder): Tensor {
    const attended = this.attention.forward(x, mask, recorder)
    const inner = this.ffn_output.forward(this.#act(this.ffn.forward(attended)))
    return this.full_layer_layer_norm.forward(add(inner, attended))
  }
}

class Group extends Module {
  readonly albert_layers: readonly Layer[]

  constructor(settings: AlbertConfig) {
    super()
    this.albert_layers = Array.from({ length: settings.inner_group_num }, () => new Layer(settings))
  }
}

class Transformer extends Module {
  readonly embedding_hidden_mapping_in: torch.Linear
  readonly albert_layer_groups: readonly Group[]

  constructor(private readonly settings: AlbertConfig) {
    super()
    this.embedding_hidden_mapping_in = new torch.Linear(settings.embedding_size, settings.hidden_size)
    this.albert_layer_groups = Array.from({ length: settings.num_hidden_groups }, () => new Group(settings))
  }

  forward(embedded: Tensor, mask: Mask, recorder: Recorder): Tensor {
    const { num_hidden_layers: layers, num_hidden_groups: groups } = this.settings
    let x = this.embedding_hidden_mapping_in.forward(embedded)
    for (let i = 0; i < layers; i++) {
      for (const layer of this.albert_layer_groups[Math.trunc(i / (layers / groups))].albert_layers) {
        recorder.state(x)
        x = layer.forward(x, mask, recorder)
      }
    }
    recorder.state(x)
    return x
  }
}

export class AlbertModel extends EncoderModel<AlbertConfig> {
  static override readonly family: Family = family
  readonly embeddings: BertEmbeddings
  readonly encoder: Transformer
  readonly pooler: torch.Linear | null

  constructor(settings: AlbertConfig, options: { pooler?: boolean } = {}) {
    super(settings)
    this.embeddings = new BertEmbeddings({
      vocabSize: settings.vocab_size,
      width: settings.embedding_size,
      positions: settings.max_position_embeddings,
      types: settings.type_vocab_size,
      padding: settings.pad_token_id,
      eps: settings.layer_norm_eps,
      dropout: settings.hidden_dropout_prob,
    })
    this.encoder = new Transformer(settings)
    const width = settings.hidden_size
    this.pooler = (options.pooler ?? true) ? new torch.Linear(width, width) : null
  }

  override inputEmbeddings(): torch.Embedding {
    return this.embeddings.word_embeddings
  }

  override forward(inputs: ModelInputs): BaseModelOutput {
    const recorder = new Recorder(this.config, inputs)
    const x = this.embeddings.forward(inputs)
    const states = this.encoder.forward(x, keyMask(inputs.attention_mask), recorder)
    const pooled = this.pooler ? { pooler_output: tanh(this.pooler.forward(states.select(1, 0))) } : {}
    return { last_hidden_state: states, ...pooled, ...recorder.outputs }
  }
}

const bare = (settings: AlbertConfig): AlbertModel => new AlbertModel(settings, { pooler: false })

class PredictionHead extends Module {
  readonly LayerNorm: torch.LayerNorm
  readonly bias: Parameter
  readonly dense: torch.Linear
  readonly decoder: torch.Linear
  readonly #act: ActivationFn

  constructor(settings: AlbertConfig, words: Parameter | undefined) {
    super()
    const { embedding_size: narrow, vocab_size: tokens } = settings
    this.LayerNorm = new torch.LayerNorm(narrow, { eps: settings.layer_norm_eps })
    this.bias = new Parameter(zeros([tokens]))
    this.dense = new torch.Linear(settings.hidden_size, narrow)
    const tied = words ? { weight: words, bias: this.bias } : {}
    this.decoder = new torch.Linear(narrow, tokens, tied)
    this.#act = activation(settings.hidden_act)
  }

  forward(states: Tensor): Tensor {
    return this.decoder.forward(this.LayerNorm.forward(this.#act(this.dense.forward(states))))
  }
}

abstract class WithVocabulary extends Headed<AlbertConfig> {
  static override readonly family: Family = family
  readonly predictions: PredictionHead

  constructor(settings: AlbertConfig, base: AlbertModel) {
    super(settings, base)
    const words = settings.tie_word_embeddings ? base.embeddings.word_embeddings.weight : undefined
    this.predictions = new PredictionHead(settings, words)
  }

  override vocabularyParameters(): readonly Parameter[] {
    const { bias, decoder } = this.predictions
    return decoder.bias ? [bias, decoder.weight, decoder.bias] : [bias, decoder.weight]
  }
}

/** Scores over the vocabulary [B, T, V]; `labels` [B, T], -100 where a token does not count. */
export class AlbertForMaskedLM extends WithVocabulary {
  constructor(settings: AlbertConfig) {
    super(settings, bare(settings))
  }

  override forward(inputs: ModelInputs): LogitsOutput {
    const base = this.base.forward(inputs)
    const logits = this.predictions.forward(scoredStates(base, inputs))
    return { ...lossOf(inputs.labels, (labels) => tokenLoss(logits, labels)), logits, ...passed(base) }
  }
}

class OrderHead extends Module {
  readonly dropout: torch.Dropout
  readonly classifier: torch.Linear

  constructor(settings: AlbertConfig) {
    super()
    this.dropout = new torch.Dropout(settings.classifier_dropout_prob)
    this.classifier = new torch.Linear(settings.hidden_size, settings.num_labels)
  }
}

/** `labels` [B, T] and `sentence_order_label` [B], both needed for a loss. */
export class AlbertForPreTraining extends WithVocabulary {
  readonly sop_classifier: OrderHead

  constructor(settings: AlbertConfig) {
    super(settings, new AlbertModel(settings))
    this.sop_classifier = new OrderHead(settings)
  }

  override forward(inputs: ModelInputs): ModelOutput {
    const base = this.base.forward(inputs)
    const prediction_logits = this.predictions.forward(base.last_hidden_state)
    const { dropout, classifier } = this.sop_classifier
    const sop_logits = classifier.forward(dropout.forward(pooled(base)))
    const { sentence_order_label: order } = inputs
    const words = lossOf(inputs.labels, (labels) => tokenLoss(prediction_logits, labels)).loss
    const orders = lossOf(order, (labels) => tokenLoss(sop_logits, labels)).loss
    const loss = words && orders ? { loss: add(words, orders) } : {}
    return { ...loss, prediction_logits, sop_logits, ...passed(base) }
  }
}

const classifierOptions = (settings: AlbertConfig, labels = settings.num_labels): ClassifierOptions => ({
  dropout: settings.classifier_dropout_prob,
  width: settings.hidden_size,
  labels,
})

export class AlbertForSequenceClassification extends PooledClassifier<AlbertConfig> {
  static override readonly family: Family = family
  constructor(settings: AlbertConfig) {
    super(settings, new AlbertModel(settings), classifierOptions(settings))
  }
}

export class AlbertForMultipleChoice extends ChoiceClassifier<AlbertConfig> {
  static override readonly family: Family = family
  constructor(settings: AlbertConfig) {
    super(settings, new AlbertModel(settings), classifierOptions(settings, 1))
  }
}

export class AlbertForTokenClassification extends TokenClassifier<AlbertConfig> {
  static override readonly family: Family = family
  constructor(settings: AlbertConfig) {
    super(settings, bare(settings), classifierOptions(settings))
  }
}

export class AlbertForQuestionAnswering extends SpanFinder<AlbertConfig> {
  static override readonly family: Family = family
  constructor(settings: AlbertConfig) {
    super(settings, bare(settings), settings.hidden_size)
  }
}

export default defineModels({
  config,
  classes: {
    AlbertModel,
    AlbertForPreTraining,
    AlbertForMaskedLM,
    AlbertForSequenceClassification,
    AlbertForMultipleChoice,
    AlbertForTokenClassification,
    AlbertForQuestionAnswering,
  },
})
