/** MPNet (Song et al. 2020): BERT's shape with biases by relative place. */
import { Module, torch } from '../nn/index.js'
import { add, permute, type Tensor, unsqueeze } from '../tensor/index.js'
import { type ActivationFn, activation } from './blocks/activations.js'
import { attend, splitHeads } from './blocks/attention.js'
import { BertPooler } from './blocks/bert-layers.js'
import { checkLength, embed, positionsFrom, positionsFromIds, tokenVectors } from './blocks/embeddings.js'
import {
  ChoiceClassifier,
  type ClassifierOptions,
  EncoderModel,
  FirstTokenClassifier,
  MaskedLanguageModel,
  SpanFinder,
  TokenClassifier,
} from './blocks/heads.js'
import { additive, keyMask, type Mask } from './blocks/masks.js'
import { Recorder } from './blocks/outputs.js'
import { distanceBucket, placeTable } from './blocks/relative.js'
import { type ConfigOf, defineConfig } from './pretrained/config.js'
import { defineModels } from './pretrained/definition.js'
import type { BaseModelOutput, ModelInputs } from './pretrained/io.js'
import type { Family } from './pretrained/model.js'

const config = defineConfig({
  model_type: 'mpnet',
  defaults: {
    vocab_size: 30527,
    hidden_size: 768,
    num_hidden_layers: 12,
    num_attention_heads: 12,
    intermediate_size: 3072,
    hidden_act: 'gelu',
    hidden_dropout_prob: 0.1,
    attention_probs_dropout_prob: 0.1,
    max_position_embeddings: 512,
    initializer_range: 0.02,
    layer_norm_eps: 1e-12,
    relative_attention_num_buckets: 32,
    pad_token_id: 1 as number | null,
    bos_token_id: 0 as number | null,
    eos_token_id: 2 as number | readonly number[] | null,
  },
})
export type MPNetConfig = ConfigOf<typeof config>

const family: Family = { config, prefix: 'mpnet', optional: /(^|\.)pooler\./ }

/** The reference fixes these whatever the config says. */
const PADDING = 1
const BUCKETS = { buckets: 32, maxDistance: 128, bidirectional: true }

const norm = (settings: MPNetConfig): torch.LayerNorm =>
  new torch.LayerNorm(settings.hidden_size, { eps: settings.layer_norm_eps })

class Embeddings extends Module {
  readonly word_embeddings: torch.Embedding
  readonly position_embeddings: torch.Embedding
  readonly LayerNorm: torch.LayerNorm
  readonly dropout: torch.Dropout

  constructor(settings: MPNetConfig) {
    super()
    const { hidden_size: width, max_position_embeddings: positions } = settings
    this.word_embeddings = new torch.Embedding(settings.vocab_size, width, { paddingIdx: PADDING })
    this.position_embeddings = new torch.Embedding(positions, width, { paddingIdx: PADDING })
    this.LayerNorm = norm(settings)
    this.dropout = new torch.Dropout(settings.hidden_dropout_prob)
  }

  forward(inputs: ModelInputs): Tensor {
    const words = tokenVectors(this.word_embeddings, inputs)
    const tokens = words.shape[1]
    checkLength(tokens, this.position_embeddings.numEmbeddings - PADDING - 1)
    const { input_ids: ids } = inputs
    const counted =
      ids === null || ids === undefined ? positionsFrom(tokens, PADDING + 1) : positionsFromIds(ids, PADDING)
    const places = embed(this.position_embeddings, inputs.position_ids ?? counted)
    return this.dropout.forward(this.LayerNorm.forward(add(words, places)))
  }
}

class SelfAttention extends Module {
  readonly q: torch.Linear
  readonly k: torch.Linear
  readonly v: torch.Linear
  readonly o: torch.Linear

  constructor(private readonly settings: MPNetConfig) {
    super()
    const { hidden_size: width, num_attention_heads: heads } = settings
    if (width % heads !== 0) throw new RangeError(`hidden_size ${width} does not divide into ${heads} heads`)
    this.q = new torch.Linear(width, width)
    this.k = new torch.Linear(width, width)
    this.v = new torch.Linear(width, width)
    this.o = new torch.Linear(width, width)
  }

  forward(x: Tensor, bias: Mask, recorder: Recorder): Tensor {
    const heads = this.settings.num_attention_heads
    const [q, k, v] = [this.q, this.k, this.v].map((map) => splitHeads(map.forward(x), heads))
    const dropout = this.training ? this.settings.attention_probs_dropout_prob : 0
    const { output, weights } = attend(q, k, v, { mask: bias, dropout, weights: recorder.wantsAttentions })
    recorder.attention(weights)
    return this.o.forward(output)
  }
}

class Attention extends Module {
  readonly attn: SelfAttention
  readonly LayerNorm: torch.LayerNorm
  readonly dropout: torch.Dropout

  constructor(settings: MPNetConfig) {
    super()
    this.attn = new SelfAttention(settings)
    this.LayerNorm = norm(settings)
    this.dropout = new torch.Dropout(settings.hidden_dropout_prob)
  }

  forward(x: Tensor, bias: Mask, recorder: Recorder): Tensor {
    return this.LayerNorm.forward(add(this.dropout.forward(this.attn.forward(x, bias, recorder)), x))
  }
}

class Dense extends Module {
  readonly dense: torch.Linear

  constructor(from: number, to: number) {
    super()
    this.dense = new torch.Linear(from, to)
  }
}

class Output extends Dense {
  readonly LayerNorm: torch.LayerNorm
  readonly dropout: torch.Dropout

  constructor(settings: MPNetConfig) {
    super(settings.intermediate_size, settings.hidden_size)
    this.LayerNorm = norm(settings)
    this.dropout = new torch.Dropout(settings.hidden_dropout_prob)
  }

  forward(x: Tensor, residual: Tensor): Tensor {
    return this.LayerNorm.forward(add(this.dropout.forward(this.dense.forward(x)), residual))
  }
}

class Layer extends Module {
  readonly attention: Attention
  readonly intermediate: Dense
  readonly output: Output
  readonly #act: ActivationFn

  constructor(settings: MPNetConfig) {
    super()
    this.attention = new Attention(settings)
    this.intermediate = new Dense(settings.hidden_size, settings.intermediate_size)
    this.output = new Output(settings)
    this.#act = activation(settings.hidden_act)
  }

  forward(x: Tensor, bias: Mask, recorder: Recorder): Tensor {
    const attended = this.attention.forward(x, bias, recorder)
    return this.output.forward(this.#act(this.intermediate.dense.forward(attended)), attended)
  }
}

class Encoder extends Module {
  readonly layer: readonly Layer[]
  readonly relative_attention_bias: torch.Embedding

  constructor(settings: MPNetConfig) {
    super()
    this.layer = Array.from({ length: settings.num_hidden_layers }, () => new Layer(settings))
    const { relative_attention_num_buckets: buckets, num_attention_heads: heads } = settings
    this.relative_attention_bias = new torch.Embedding(buckets, heads)
  }

  /** Added to the scores: [1, heads, T, T]. */
  private bias(tokens: number): Tensor {
    const buckets = placeTable(tokens, tokens, (q, k) => distanceBucket(k - q, BUCKETS))
    return unsqueeze(permute(embed(this.relative_attention_bias, buckets), [2, 0, 1]), 0)
  }

  forward(x: Tensor, mask: Mask, recorder: Recorder): Tensor {
    const places = this.bias(x.shape[1])
    const bias = mask ? add(places, additive(mask)) : places
    let states = x
    for (const layer of this.layer) {
      recorder.state(states)
      states = layer.forward(states, bias, recorder)
    }
    recorder.state(states)
    return states
  }
}

export class MPNetModel extends EncoderModel<MPNetConfig> {
  static override readonly family: Family = family
  readonly embeddings: Embeddings
  readonly encoder: Encoder
  readonly pooler: BertPooler | null

  constructor(settings: MPNetConfig, options: { pooler?: boolean } = {}) {
    super(settings)
    this.embeddings = new Embeddings(settings)
    this.encoder = new Encoder(settings)
    this.pooler = (options.pooler ?? true) ? new BertPooler(settings) : null
  }

  override inputEmbeddings(): torch.Embedding {
    return this.embeddings.word_embeddings
  }

  override forward(inputs: ModelInputs): BaseModelOutput {
    const recorder = new Recorder(this.config, inputs)
    const x = this.embeddings.forward(inputs)
    const last_hidden_state = this.encoder.forward(x, keyMask(inputs.attention_mask), recorder)
    const pooled = this.pooler ? { pooler_output: this.pooler.forward(last_hidden_state) } : {}
    return { last_hidden_state, ...pooled, ...recorder.outputs }
  }
}

const bare = (settings: MPNetConfig): MPNetModel => new MPNetModel(settings, { pooler: false })

const classifierOptions = (settings: MPNetConfig, labels = settings.num_labels): ClassifierOptions => ({
  dropout: settings.hidden_dropout_prob,
  width: settings.hidden_size,
  labels,
})

export class MPNetForMaskedLM extends MaskedLanguageModel<MPNetConfig> {
  static override readonly family: Family = family
  constructor(settings: MPNetConfig) {
    const { hidden_size: width, vocab_size: vocabSize, layer_norm_eps: eps } = settings
    super(settings, bare(settings), { width, vocabSize, eps })
  }
}

export class MPNetForSequenceClassification extends FirstTokenClassifier<MPNetConfig> {
  static override readonly family: Family = family
  constructor(settings: MPNetConfig) {
    super(settings, bare(settings), classifierOptions(settings))
  }
}

export class MPNetForMultipleChoice extends ChoiceClassifier<MPNetConfig> {
  static override readonly family: Family = family
  constructor(settings: MPNetConfig) {
    super(settings, new MPNetModel(settings), classifierOptions(settings, 1))
  }
}

export class MPNetForTokenClassification extends TokenClassifier<MPNetConfig> {
  static override readonly family: Family = family
  constructor(settings: MPNetConfig) {
    super(settings, bare(settings), classifierOptions(settings))
  }
}

export class MPNetForQuestionAnswering extends SpanFinder<MPNetConfig> {
  static override readonly family: Family = family
  constructor(settings: MPNetConfig) {
    super(settings, bare(settings), settings.hidden_size)
  }
}

export default defineModels({
  config,
  classes: {
    MPNetModel,
    MPNetForMaskedLM,
    MPNetForSequenceClassification,
    MPNetForMultipleChoice,
    MPNetForTokenClassification,
    MPNetForQuestionAnswering,
  },
  auto: { preTraining: 'MPNetForMaskedLM' },
})
