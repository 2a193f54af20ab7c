/** Heads that many encoders share. Shapes: B batch, T tokens, C choices, H features, L labels. */
import { type Child, torch } from '../../nn/index.js'
import { reshape, type Tensor } from '../../tensor/index.js'
import type { BaseConfig } from '../pretrained/config.js'
import type { BaseModelOutput, LogitsOutput, ModelInputs, ModelOutput } from '../pretrained/io.js'
import { type Family, PreTrainedModel } from '../pretrained/model.js'
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
