/** Heads on encoders with decoders: the text goes into both, heads see what the decoder makes of it. */
import { Module, torch } from '../../nn/index.js'
import { argmax, asTensor, eq, expand, gather, iota, mul, reshape, type Tensor, tanh } from '../../tensor/index.js'
import type { BaseConfig } from '../pretrained/config.js'
import type { LogitsOutput, ModelInputs, ModelOutput } from '../pretrained/io.js'
import { type EncoderModel, Headed } from './heads.js'
import { classLoss } from './losses.js'
import { lossOf, spanOutput } from './outputs.js'
import { passedSeq2Seq, shiftRight } from './seq2seq.js'

type WithDropout = BaseConfig & { readonly classifier_dropout: number }

class ClassificationHead extends Module {
  readonly dense: torch.Linear
  readonly dropout: torch.Dropout
  readonly out_proj: torch.Linear

  constructor(width: number, p: number, labels: number) {
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

const twice = (inputs: ModelInputs, settings: BaseConfig): ModelInputs => {
  if (inputs.input_ids === null || inputs.input_ids === undefined) throw new TypeError('this head needs input_ids')
  return { ...inputs, decoder_input_ids: inputs.decoder_input_ids ?? shiftRight(inputs.input_ids, settings) }
}

/** Scores of the text [B, L] by the decoder's state at the last end token. */
export abstract class EndTokenClassifier<C extends WithDropout> extends Headed<C> {
  readonly classification_head: ClassificationHead

  constructor(settings: C, base: EncoderModel, width: number) {
    super(settings, base)
    this.classification_head = new ClassificationHead(width, settings.classifier_dropout, settings.num_labels)
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
export abstract class DecodedSpanFinder<C extends BaseConfig> extends Headed<C> {
  readonly qa_outputs: torch.Linear

  constructor(settings: C, base: EncoderModel, width: number) {
    super(settings, base)
    this.qa_outputs = new torch.Linear(width, settings.num_labels)
  }

  override forward(inputs: ModelInputs): ModelOutput {
    const base = this.base.forward(twice(inputs, this.config))
    return { ...passedSeq2Seq(base), ...spanOutput(this.qa_outputs.forward(base.last_hidden_state), inputs, {}) }
  }
}
