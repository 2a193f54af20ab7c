/** Heads that many encoders share. Shapes: B batch, T tokens, C choices, H features, L labels. */
import { type Child, Module, torch } from '../../nn/index.js'
import { add, asTensor, gelu, Parameter, reshape, type Tensor, type TensorLike, zeros } from '../../tensor/index.js'
import type { BaseConfig } from '../pretrained/config.js'
import type { BaseModelOutput, LogitsOutput, ModelInputs, ModelOutput } from '../pretrained/io.js'
import { type Family, PreTrainedModel } from '../pretrained/model.js'
import { type ActivationFn, activation } from './activations.js'
import { flattenChoices } from './embeddings.js'
import { classLoss, tokenLoss } from './losses.js'
import { lossOf, passed, spanOutput } from './outputs.js'

/** A base model that gives states of tokens. */
export abstract class EncoderModel<C extends BaseConfig = BaseConfig> extends PreTrainedModel<C> {
  abstract override forward(inputs: ModelInputs): BaseModelOutput
}

/** A model with a head on a base model, which stands in files under the family's prefix. */
export abstract class Headed<
  C extends BaseConfig = BaseConfig,
  B extends EncoderModel = EncoderModel,
> extends PreTrainedModel<C> {
  constructor(
    config: C,
    readonly base: B,
  ) {
    super(config)
  }

  protected override *children(): Iterable<Child> {
    const { prefix } = (this.constructor as unknown as { family: Family }).family
    for (const [path, child] of super.children()) yield [path === 'base' ? prefix : path, child]
  }

  override inputEmbeddings(): torch.Embedding | null {
    return this.base.inputEmbeddings()
  }
}

/** The text's state, or an error that says the model was built without it. */
export function pooled({ pooler_output: state }: ModelOutput): Tensor {
  if (!state) throw new Error('this head needs a base model with a pooler')
  return state
}

/** What a head over the vocabulary scores: the states of all tokens [B, T, H], or of those at `score_positions` [P, H]. */
export function scoredStates({ last_hidden_state: states }: BaseModelOutput, inputs: ModelInputs): Tensor {
  const { score_positions: positions } = inputs
  if (positions === null || positions === undefined) return states
  return reshape(states, [-1, states.shape[2]]).indexSelect(0, asTensor(positions))
}

export interface ClassifierOptions {
  readonly dropout: number
  readonly width: number
  readonly labels: number
  readonly bias?: boolean
}

/** Dropout and a linear `classifier`. */
abstract class Classifier<C extends BaseConfig, B extends EncoderModel = EncoderModel> extends Headed<C, B> {
  readonly dropout: torch.Dropout
  readonly classifier: torch.Linear

  constructor(config: C, base: B, { dropout, width, labels, bias = true }: ClassifierOptions) {
    super(config, base)
    this.dropout = new torch.Dropout(dropout)
    this.classifier = new torch.Linear(width, labels, { bias })
  }

  protected classify(states: Tensor): Tensor {
    return this.classifier.forward(this.dropout.forward(states))
  }
}

/** Scores of the text [B, L]; `labels` [B], or [B, L] for several labels at once. */
export abstract class SequenceClassifier<C extends BaseConfig> extends Headed<C> {
  protected abstract scores(base: BaseModelOutput, inputs: ModelInputs): Tensor

  override forward(inputs: ModelInputs): LogitsOutput {
    const base = this.base.forward(inputs)
    const logits = this.scores(base, inputs)
    return { ...lossOf(inputs.labels, (labels) => classLoss(this.config, logits, labels)), logits, ...passed(base) }
  }
}

/** Dropout, dense, activation, dropout and the map to the labels, from the state of the first token. */
export class ClassificationHead extends Module {
  readonly dense: torch.Linear
  readonly out_proj: torch.Linear
  readonly dropout: torch.Dropout
  readonly #act: ActivationFn

  constructor({ dropout, width, labels }: ClassifierOptions, act = 'tanh') {
    super()
    this.dense = new torch.Linear(width, width)
    this.out_proj = new torch.Linear(width, labels)
    this.dropout = new torch.Dropout(dropout)
    this.#act = activation(act)
  }

  forward(states: Tensor): Tensor {
    const first = this.dropout.forward(states.select(1, 0))
    return this.out_proj.forward(this.dropout.forward(this.#act(this.dense.forward(first))))
  }
}

/** {@link SequenceClassifier} by a {@link ClassificationHead}. */
export abstract class FirstTokenClassifier<C extends BaseConfig> extends SequenceClassifier<C> {
  readonly classifier: ClassificationHead

  constructor(config: C, base: EncoderModel, options: ClassifierOptions, act?: string) {
    super(config, base)
    this.classifier = new ClassificationHead(options, act)
  }

  protected override scores(base: BaseModelOutput): Tensor {
    return this.classifier.forward(base.last_hidden_state)
  }
}

export interface LMHeadOptions {
  readonly width: number
  readonly vocabSize: number
  readonly eps: number
  /** Word vectors to share. */
  readonly words?: Parameter
  /** Whether the decoder's bias is the head's, one of its own (the head's is then unused), or the head's added afterwards. */
  readonly bias?: 'tied' | 'own' | 'added'
}

/** Dense, gelu, norm, and scores over the vocabulary with a bias: the head of RoBERTa's kind. */
export class LMHead extends Module {
  readonly #added: boolean
  readonly dense: torch.Linear
  readonly layer_norm: torch.LayerNorm
  readonly bias: Parameter
  readonly decoder: torch.Linear

  constructor({ width, vocabSize, eps, words, bias = 'tied' }: LMHeadOptions) {
    super()
    this.dense = new torch.Linear(width, width)
    this.layer_norm = new torch.LayerNorm(width, { eps })
    this.bias = new Parameter(zeros([vocabSize]))
    this.#added = bias === 'added'
    const own = bias === 'tied' ? this.bias : bias === 'own'
    this.decoder = new torch.Linear(width, vocabSize, { bias: own, weight: words })
  }

  forward(states: Tensor): Tensor {
    const scores = this.decoder.forward(this.layer_norm.forward(gelu(this.dense.forward(states))))
    return this.#added ? add(scores, this.bias) : scores
  }
}

/** Scores over the vocabulary [B, T, V] by an {@link LMHead}; `labels` [B, T], -100 where a token does not count. */
export abstract class MaskedLanguageModel<C extends BaseConfig> extends Headed<C> {
  readonly lm_head: LMHead

  constructor(config: C, base: EncoderModel, options: LMHeadOptions) {
    super(config, base)
    const tied = config.tie_word_embeddings
    const words = tied ? base.inputEmbeddings()?.weight : undefined
    this.lm_head = new LMHead({ bias: tied ? 'tied' : 'own', ...options, words })
  }

  override vocabularyParameters(): readonly Parameter[] {
    const { bias, decoder } = this.lm_head
    return decoder.bias ? [bias, decoder.weight, decoder.bias] : [bias, decoder.weight]
  }

  protected loss(logits: Tensor, labels: TensorLike): Tensor {
    return tokenLoss(logits, labels)
  }

  override forward(inputs: ModelInputs): LogitsOutput {
    const base = this.base.forward(inputs)
    const logits = this.lm_head.forward(scoredStates(base, inputs))
    return { ...lossOf(inputs.labels, (labels) => this.loss(logits, labels)), logits, ...passed(base) }
  }
}

/** {@link SequenceClassifier} by a linear map of the pooled state. */
export abstract class PooledClassifier<C extends BaseConfig> extends Classifier<C> {
  override forward(inputs: ModelInputs): LogitsOutput {
    const base = this.base.forward(inputs)
    const logits = this.classify(pooled(base))
    return { ...lossOf(inputs.labels, (labels) => classLoss(this.config, logits, labels)), logits, ...passed(base) }
  }
}

/** Scores of the tokens [B, T, L]; `labels` [B, T], -100 where a token does not count. */
export abstract class TokenClassifier<C extends BaseConfig> extends Classifier<C> {
  override forward(inputs: ModelInputs): LogitsOutput {
    const base = this.base.forward(inputs)
    const logits = this.classify(base.last_hidden_state)
    return { ...lossOf(inputs.labels, (labels) => tokenLoss(logits, labels)), logits, ...passed(base) }
  }
}

/** Scores of choices [B, C] from inputs [B, C, T] by the pooled state; `labels` [B]. */
export abstract class ChoiceClassifier<C extends BaseConfig> extends Classifier<C> {
  /** The state of one text [B * C, H]. */
  protected text(base: BaseModelOutput): Tensor {
    return pooled(base)
  }

  override forward(inputs: ModelInputs): LogitsOutput {
    const { choices, flat } = flattenChoices(inputs)
    const base = this.base.forward(flat)
    const logits = reshape(this.classify(this.text(base)), [-1, choices])
    return { ...lossOf(inputs.labels, (labels) => tokenLoss(logits, labels)), logits, ...passed(base) }
  }
}

/** Scores of the first and last token of an answer, [B, T] each. */
export abstract class SpanFinder<C extends BaseConfig> extends Headed<C> {
  readonly qa_outputs: torch.Linear

  constructor(config: C, base: EncoderModel, width: number) {
    super(config, base)
    this.qa_outputs = new torch.Linear(width, config.num_labels)
  }

  /** What is done to the states before. */
  protected prepare(states: Tensor): Tensor {
    return states
  }

  override forward(inputs: ModelInputs): ModelOutput {
    const base = this.base.forward(inputs)
    return spanOutput(this.qa_outputs.forward(this.prepare(base.last_hidden_state)), inputs, base)
  }
}
