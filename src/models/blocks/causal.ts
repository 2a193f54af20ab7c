/** Heads on decoders. Shapes: B batch, T tokens, V vocabulary, L labels. */
import { torch } from '../../nn/index.js'
import {
  argmax,
  asTensor,
  div,
  expand,
  gather,
  iota,
  mul,
  ne,
  type Parameter,
  reshape,
  type Tensor,
  type TensorLike,
  tanh,
} from '../../tensor/index.js'
import type { BaseConfig } from '../pretrained/config.js'
import type { BaseModelOutput, LogitsOutput, ModelInputs } from '../pretrained/io.js'
import type { CacheShape } from './cache.js'
import { type EncoderModel, Headed, SequenceClassifier } from './heads.js'
import { causalHeadLoss, causalLoss, tokenLoss } from './losses.js'
import { lossOf, passed } from './outputs.js'

export interface CausalOptions {
  readonly width: number
  readonly vocabSize: number
  readonly bias?: boolean
  /** Scores are limited to +- this by tanh. */
  readonly softcap?: number | null
}

/** Scores of the token that follows [B, T, V]; `labels` [B, T] are shifted by one, -100 where a token does not count. */
export abstract class CausalLanguageModel<C extends BaseConfig> extends Headed<C> {
  readonly lm_head: torch.Linear
  readonly #softcap: number | null

  constructor(config: C, base: EncoderModel, { width, vocabSize, bias = false, softcap = null }: CausalOptions) {
    super(config, base)
    const weight = config.tie_word_embeddings ? base.inputEmbeddings()?.weight : undefined
    this.lm_head = new torch.Linear(width, vocabSize, { bias, weight })
    this.#softcap = softcap
  }

  override vocabularyParameters(): readonly Parameter[] {
    const { weight, bias } = this.lm_head
    return bias ? [weight, bias] : [weight]
  }

  override cacheShapes(): readonly CacheShape[] | null {
    return this.base.cacheShapes()
  }

  protected scores(states: Tensor): Tensor {
    const logits = this.lm_head.forward(states)
    return this.#softcap ? mul(tanh(div(logits, this.#softcap)), this.#softcap) : logits
  }

  override forward(inputs: ModelInputs): LogitsOutput {
    const base = this.base.forward(inputs)
    const { last_hidden_state: states } = base
    const logits = this.scores(states)
    // In training the scores themselves are rarely read: they are worth computing again where they are.
    const chunked = this.training && !this.#softcap
    const loss = (labels: TensorLike): Tensor =>
      chunked ? causalHeadLoss(states, this.lm_head, labels) : causalLoss(logits, labels)
    return { ...lossOf(inputs.labels, loss), logits, ...passed(base) }
  }
}

/** States or scores [B, T, W] at the last token of each row that is not padding: [B, W]. */
export function lastTokens(x: Tensor, ids: ModelInputs['input_ids'], padding: number | null): Tensor {
  const [batch, tokens, width] = x.shape
  if (padding === null && batch !== 1) throw new RangeError('texts in a batch need a pad_token_id in the config')
  if (padding === null || ids === null || ids === undefined) return x.select(1, -1)
  const places = mul(ne(asTensor(ids), padding).to('i32'), iota([1, tokens], 1))
  const last = expand(reshape(argmax(places, 1), [batch, 1, 1]), [batch, 1, width])
  return gather(x, 1, last).squeeze(1)
}

/** Scores of the text [B, L] by a map `score` of the last token's state; `labels` [B], or [B, L] for several labels at once. */
export abstract class LastTokenClassifier<C extends BaseConfig> extends SequenceClassifier<C> {
  readonly score: torch.Linear

  constructor(config: C, base: EncoderModel, width: number) {
    super(config, base)
    this.score = new torch.Linear(width, config.num_labels, { bias: false })
  }

  protected override scores(base: BaseModelOutput, inputs: ModelInputs): Tensor {
    return lastTokens(this.score.forward(base.last_hidden_state), inputs.input_ids, this.config.pad_token_id)
  }
}

/** Scores of the tokens [B, T, L] by dropout and a map `score`; `labels` [B, T]. */
export abstract class ScoreTokens<C extends BaseConfig> extends Headed<C> {
  readonly dropout: torch.Dropout
  readonly score: torch.Linear

  constructor(config: C, base: EncoderModel, { width, dropout }: { width: number; dropout: number }) {
    super(config, base)
    this.dropout = new torch.Dropout(dropout)
    this.score = new torch.Linear(width, config.num_labels)
  }

  override forward(inputs: ModelInputs): LogitsOutput {
    const base = this.base.forward(inputs)
    const logits = this.score.forward(this.dropout.forward(base.last_hidden_state))
    return { ...lossOf(inputs.labels, (labels) => tokenLoss(logits, labels)), logits, ...passed(base) }
  }
}
