/** DistilBERT (Sanh et al. 2019). */
import { Module, torch } from '../nn/index.js'
import { add, type Parameter, relu, type Tensor } from '../tensor/index.js'
import { type ActivationFn, activation } from './blocks/activations.js'
import { attend, splitHeads } from './blocks/attention.js'
import { checkLength, embed, positionsFrom, tokenVectors } from './blocks/embeddings.js'
import {
  ChoiceClassifier,
  EncoderModel,
  Headed,
  SequenceClassifier,
  SpanFinder,
  scoredStates,
  TokenClassifier,
} from './blocks/heads.js'
import { tokenLoss } from './blocks/losses.js'
import { keyMask, type Mask } from './blocks/masks.js'
import { lossOf, passed, Recorder } from './blocks/outputs.js'
import { type ConfigOf, defineConfig } from './pretrained/config.js'
import { defineModels } from './pretrained/definition.js'
import type { BaseModelOutput, LogitsOutput, ModelInputs } from './pretrained/io.js'
import type { Family } from './pretrained/model.js'

const config = defineConfig({
  model_type: 'distilbert',
  defaults: {
    vocab_size: 30522,
    max_position_embeddings: 512,
    n_layers: 6,
    n_heads: 12,
    dim: 768,
    hidden_dim: 3072,
    dropout: 0.1,
    attention_dropout: 0.1,
    activation: 'gelu',
    initializer_range: 0.02,
    qa_dropout: 0.1,
    seq_classif_dropout: 0.2,
    pad_token_id: 0 as number | null,
  },
  aliases: { hidden_size: 'dim', num_attention_heads: 'n_heads', num_hidden_layers: 'n_layers' },
})
export type DistilBertConfig = ConfigOf<typeof config>

const family: Family = { config, prefix: 'distilbert' }
const EPS = 1e-12

class Embeddings extends Module {
  readonly word_embeddings: torch.Embedding
  readonly position_embeddings: torch.Embedding
  readonly LayerNorm: torch.LayerNorm
  readonly dropout: torch.Dropout

  constructor(settings: DistilBertConfig) {
    super()
    const paddingIdx = settings.pad_token_id ?? undefined
    this.word_embeddings = new torch.Embedding(settings.vocab_size, settings.dim, { paddingIdx })
    this.position_embeddings = new torch.Embedding(settings.max_position_embeddings, settings.dim)
    this.LayerNorm = new torch.LayerNorm(settings.dim, { eps: EPS })
    this.dropout = new torch.Dropout(settings.dropout)
  }

  forward(inputs: ModelInputs): Tensor {
    const words = tokenVectors(this.word_embeddings, inputs)
    const tokens = words.shape[1]
    checkLength(tokens, this.position_embeddings.numEmbeddings)
    const places = embed(this.position_embeddings, inputs.position_ids ?? positionsFrom(tokens))
    return this.dropout.forward(this.LayerNorm.forward(add(words, places)))
  }
}

class Attention extends Module {
  readonly q_lin: torch.Linear
  readonly k_lin: torch.Linear
  readonly v_lin: torch.Linear
  readonly out_lin: torch.Linear

  constructor(private readonly settings: DistilBertConfig) {
    super()
    const { dim, n_heads: heads } = settings
    if (dim % heads !== 0) throw new RangeError(`dim ${dim} does not divide into ${heads} heads`)
    this.q_lin = new torch.Linear(dim, dim)
    this.k_lin = new torch.Linear(dim, dim)
    this.v_lin = new torch.Linear(dim, dim)
    this.out_lin = new torch.Linear(dim, dim)
  }

  forward(x: Tensor, mask: Mask, recorder: Recorder): Tensor {
    const [q, k, v] = [this.q_lin, this.k_lin, this.v_lin].map((map) =>
      splitHeads(map.forward(x), this.settings.n_heads),
    )
    const dropout = this.training ? this.settings.attention_dropout : 0
    const { output, weights } = attend(q, k, v, { mask, dropout, weights: recorder.wantsAttentions })
    recorder.attention(weights)
    return this.out_lin.forward(output)
  }
}

class FeedForward extends Module {
  readonly lin1: torch.Linear
  readonly lin2: torch.Linear
  readonly dropout: torch.Dropout
  readonly #act: ActivationFn

  constructor(settings: DistilBertConfig) {
    super()
    this.lin1 = new torch.Linear(settings.dim, settings.hidden_dim)
    this.lin2 = new torch.Linear(settings.hidden_dim, settings.dim)
    this.dropout = new torch.Dropout(settings.dropout)
    this.#act = activation(settings.activation)
  }

  forward(x: Tensor): Tensor {
    return this.dropout.forward(this.lin2.forward(this.#act(this.lin1.forward(x))))
  }
}

class Block extends Module {
  readonly attention: Attention
  readonly sa_layer_norm: torch.LayerNorm
  readonly ffn: FeedForward
  readonly output_layer_norm: torch.LayerNorm

  constructor(settings: DistilBertConfig) {
    super()
    this.attention = new Attention(settings)
    this.sa_layer_norm = new torch.LayerNorm(settings.dim, { eps: EPS })
    this.ffn = new FeedForward(settings)
    this.output_layer_norm = new torch.LayerNorm(settings.dim, { eps: EPS })
  }

  forward(x: Tensor, mask: Mask, recorder: Recorder): Tensor {
    const attended = this.sa_layer_norm.forward(add(this.attention.forward(x, mask, recorder), x))
    return this.output_layer_norm.forward(add(this.ffn.forward(attended), attended))
  }
}

class Transformer extends Module {
  readonly layer: readonly Block[]

  constructor(settings: DistilBertConfig) {
    super()
    this.layer = Array.from({ length: settings.n_layers }, () => new Block(settings))
  }
}

export class DistilBertModel extends EncoderModel<DistilBertConfig> {
  static override readonly family: Family = family
  readonly embeddings: Embeddings
  readonly transformer: Transformer

  constructor(settings: DistilBertConfig) {
    super(settings)
    this.embeddings = new Embeddings(settings)
    this.transformer = new Transformer(settings)
  }

  override inputEmbeddings(): torch.Embedding {
    return this.embeddings.word_embeddings
  }

  override forward(inputs: ModelInputs): BaseModelOutput {
    const recorder = new Recorder(this.config, inputs)
    const mask = keyMask(inputs.attention_mask)
    let x = this.embeddings.forward(inputs)
    for (const block of this.transformer.layer) {
      recorder.state(x)
      x = block.forward(x, mask, recorder)
    }
    recorder.state(x)
    return { last_hidden_state: x, ...recorder.outputs }
  }
}

/** Scores over the vocabulary [B, T, V]; `labels` [B, T], -100 where a token does not count. */
export class DistilBertForMaskedLM extends Headed<DistilBertConfig> {
  static override readonly family: Family = family
  readonly vocab_transform: torch.Linear
  readonly vocab_layer_norm: torch.LayerNorm
  readonly vocab_projector: torch.Linear
  readonly #act: ActivationFn

  constructor(settings: DistilBertConfig) {
    super(settings, new DistilBertModel(settings))
    this.vocab_transform = new torch.Linear(settings.dim, settings.dim)
    this.vocab_layer_norm = new torch.LayerNorm(settings.dim, { eps: EPS })
    const weight = settings.tie_word_embeddings ? this.base.inputEmbeddings()?.weight : undefined
    this.vocab_projector = new torch.Linear(settings.dim, settings.vocab_size, { weight })
    this.#act = activation(settings.activation)
  }

  override vocabularyParameters(): readonly Parameter[] {
    const { weight, bias } = this.vocab_projector
    return bias ? [weight, bias] : [weight]
  }

  override forward(inputs: ModelInputs): LogitsOutput {
    const base = this.base.forward(inputs)
    const shaped = this.vocab_layer_norm.forward(this.#act(this.vocab_transform.forward(scoredStates(base, inputs))))
    const logits = this.vocab_projector.forward(shaped)
    return { ...lossOf(inputs.labels, (labels) => tokenLoss(logits, labels)), logits, ...passed(base) }
  }
}

export class DistilBertForSequenceClassification extends SequenceClassifier<DistilBertConfig> {
  static override readonly family: Family = family
  readonly pre_classifier: torch.Linear
  readonly classifier: torch.Linear
  readonly dropout: torch.Dropout

  constructor(settings: DistilBertConfig) {
    super(settings, new DistilBertModel(settings))
    this.pre_classifier = new torch.Linear(settings.dim, settings.dim)
    this.classifier = new torch.Linear(settings.dim, settings.num_labels)
    this.dropout = new torch.Dropout(settings.seq_classif_dropout)
  }

  protected override scores({ last_hidden_state: states }: BaseModelOutput): Tensor {
    const first = relu(this.pre_classifier.forward(states.select(1, 0)))
    return this.classifier.forward(this.dropout.forward(first))
  }
}

export class DistilBertForMultipleChoice extends ChoiceClassifier<DistilBertConfig> {
  static override readonly family: Family = family
  readonly pre_classifier: torch.Linear

  constructor(settings: DistilBertConfig) {
    const { seq_classif_dropout: dropout, dim: width } = settings
    super(settings, new DistilBertModel(settings), { dropout, width, labels: 1 })
    this.pre_classifier = new torch.Linear(width, width)
  }

  protected override text({ last_hidden_state: states }: BaseModelOutput): Tensor {
    return relu(this.pre_classifier.forward(states.select(1, 0)))
  }
}

export class DistilBertForTokenClassification extends TokenClassifier<DistilBertConfig> {
  static override readonly family: Family = family
  constructor(settings: DistilBertConfig) {
    const { dropout, dim: width, num_labels: labels } = settings
    super(settings, new DistilBertModel(settings), { dropout, width, labels })
  }
}

export class DistilBertForQuestionAnswering extends SpanFinder<DistilBertConfig> {
  static override readonly family: Family = family
  readonly dropout: torch.Dropout

  constructor(settings: DistilBertConfig) {
    super(settings, new DistilBertModel(settings), settings.dim)
    this.dropout = new torch.Dropout(settings.qa_dropout)
  }

  protected override prepare(states: Tensor): Tensor {
    return this.dropout.forward(states)
  }
}

export default defineModels({
  config,
  classes: {
    DistilBertModel,
    DistilBertForMaskedLM,
    DistilBertForSequenceClassification,
    DistilBertForMultipleChoice,
    DistilBertForTokenClassification,
    DistilBertForQuestionAnswering,
  },
  auto: { preTraining: 'DistilBertForMaskedLM' },
})
