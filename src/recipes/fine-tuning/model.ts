import type { ModelInputs, ModelOutput, PreTrainedModel } from '../../models/index.js'
import { type CallContext, type Child, type Layer, Model, type PartialShape } from '../../nn/index.js'
import type { Parameter, Tensor } from '../../tensor/index.js'
import { Callback } from '../../train/index.js'

export type InputName = 'input_ids' | 'attention_mask' | 'token_type_ids'

/** What is trained of a model's output, by its inputs. */
export type ReadOutput = (output: ModelOutput, inputs: ModelInputs, context: CallContext) => Tensor

/** @throws TypeError where the model has none */
export const logitsOf: ReadOutput = ({ logits }) => {
  if (!logits) throw new TypeError('the model gives no logits')
  return logits
}

/** A published model as `fit` trains it: inputs [B, T] each by name, output what `read` takes, its logits by default. */
export class FineTunedModel extends Model {
  override readonly className = 'FineTunedModel'
  override readonly layers: readonly Layer[] = []
  override readonly outputNames: readonly string[] = ['logits']
  override readonly inputShapes: readonly PartialShape[]
  override built = true

  constructor(
    readonly pretrained: PreTrainedModel,
    readonly inputNames: readonly (InputName | 'score_positions')[],
    private readonly read: ReadOutput = logitsOf,
    /** Options of the forward pass, such as what it records. */
    private readonly options: ModelInputs = {},
  ) {
    super({ name: 'fine_tuned' })
    this.inputShapes = inputNames.map(() => [null, null])
  }

  protected override children(): Iterable<Child> {
    return [['model', this.pretrained]]
  }

  override get weights(): Parameter[] {
    return this.pretrained.parameters()
  }

  override call(inputs: Tensor | Tensor[], context: CallContext): Tensor {
    if (this.pretrained.training !== context.training)
      throw new Error(
        `the model is set to ${context.training ? 'evaluation' : 'training'}: TrainingMode must switch it`,
      )
    const list = Array.isArray(inputs) ? inputs : [inputs]
    const named: ModelInputs = Object.fromEntries(this.inputNames.map((name, i) => [name, list[i]]))
    return this.read(this.pretrained.forward({ ...named, ...this.options }), named, context)
  }

  override summaryRows(): [] {
    return []
  }
}

/** Sets a published model to training (dropout drops) for the steps of training only. */
export class TrainingMode extends Callback {
  constructor(private readonly pretrained: PreTrainedModel) {
    super()
  }

  override onTrainBatchBegin(): void {
    this.pretrained.train()
  }

  override onTrainBatchEnd(): void {
    this.pretrained.eval()
  }
}
