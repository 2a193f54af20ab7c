import type { ModelInputs, PreTrainedModel } from '../../models/index.js'
import { type CallContext, type Child, type Layer, Model, type PartialShape } from '../../nn/index.js'
import type { Parameter, Tensor } from '../../tensor/index.js'
import { Callback } from '../../train/index.js'

export type InputName = 'input_ids' | 'attention_mask' | 'token_type_ids'

/** A published model as `fit` trains it: inputs [B, T] each by name, output its logits. */
export class FineTunedModel extends Model {
  override readonly className = 'FineTunedModel'
  override readonly layers: readonly Layer[] = []
  override readonly outputNames: readonly string[] = ['logits']
  override readonly inputShapes: readonly PartialShape[]
  override built = true

  constructor(
    readonly pretrained: PreTrainedModel,
    readonly inputNames: readonly InputName[],
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
    const { logits } = this.pretrained.forward(named)
    if (!logits) throw new TypeError(`${this.pretrained.constructor.name} gives no logits`)
    return logits
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
