import { add, cat, div, mul, reshape, type Tensor, transpose } from '../../tensor/index.js'
import { type CallContext, callContext, type InputShapes, Layer, type LayerOptions } from '../layer.js'
import type { Child } from '../module.js'
import type { PartialShape } from '../symbolic.js'
import { checkChoice, singleShape } from './options.js'
import { SequenceLayer } from './sequence-layer.js'

export type MergeMode = 'concat' | 'sum' | 'mul' | 'ave'

export interface BidirectionalOptions extends LayerOptions {
  /** How both directions become one output; null gives a list of both. Default concat. */
  mergeMode?: MergeMode | null
  /** Reads backwards; default: a layer equal to the given one. */
  backwardLayer?: Layer | null
}

const MERGE: Record<MergeMode, (a: Tensor, b: Tensor) => Tensor> = {
  concat: (a, b) => cat([a, b], -1),
  sum: (a, b) => add(a, b),
  mul: (a, b) => mul(a, b),
  ave: (a, b) => div(add(a, b), 2),
}

function recurrent(layer: Layer, what: string): SequenceLayer {
  if (!(layer instanceof SequenceLayer))
    throw new TypeError(
      `Bidirectional: the ${what} must be an LSTM, GRU, SimpleRNN or RNN, got ${layer?.className ?? layer}`,
    )
  return layer
}

/** Reads sequences both ways. The given layer serves as the pattern: the weights are those of `forwardLayer` and `backwardLayer`. */
export class Bidirectional extends Layer {
  override readonly className: string = 'Bidirectional'
  readonly forwardLayer: SequenceLayer
  readonly backwardLayer: SequenceLayer
  private readonly mergeMode: MergeMode | null

  constructor(layer: Layer, options: BidirectionalOptions = {}) {
    const given = recurrent(layer, 'layer')
    const mergeMode = options.mergeMode === undefined ? 'concat' : options.mergeMode
    if (mergeMode !== null) checkChoice('Bidirectional', 'mergeMode', mergeMode, ['concat', 'sum', 'mul', 'ave'])
    // Keras zeroes the outputs of padding here.
    const zeroOutputForMask = given.returnSequences
    const named = (direction: string, source: Layer): string =>
      `${direction}_${source.name.replace(new RegExp(`^${direction}_`), '')}`
    const forward = given.variant({ name: named('forward', given), zeroOutputForMask })
    const pattern = options.backwardLayer ? recurrent(options.backwardLayer, 'backwardLayer') : given
    const goBackwards = options.backwardLayer ? pattern.goBackwards : !given.goBackwards
    const backward = pattern.variant({ name: named('backward', pattern), goBackwards, zeroOutputForMask })
    if (backward.goBackwards === forward.goBackwards)
      throw new RangeError('Bidirectional: the layers must read in different directions; set goBackwards on one')
    if (backward.returnSequences !== forward.returnSequences || backward.returnState !== forward.returnState)
      throw new RangeError('Bidirectional: both layers must have equal returnSequences and returnState')
    super(options, { mergeMode, layer: forward, backwardLayer: backward })
    this.forwardLayer = forward
    this.backwardLayer = backward
    this.mergeMode = mergeMode
  }

  protected override *children(): Iterable<Child> {
    yield ['forward_layer', this.forwardLayer]
    yield ['backward_layer', this.backwardLayer]
  }

  override build(inputShape: InputShapes): void {
    const first = Array.isArray(inputShape[0]) ? (inputShape[0] as PartialShape) : inputShape
    this.forwardLayer.ensureBuilt(first)
    this.backwardLayer.ensureBuilt(first)
  }

  override call(inputs: Tensor | Tensor[], context: CallContext): Tensor | Tensor[] {
    const [x, ...states] = Array.isArray(inputs) ? inputs : [inputs]
    const half = states.length / 2
    const results = [this.forwardLayer, this.backwardLayer].map((layer, way) =>
      layer.aligned(x, states.slice(way * half, way * half + half), context),
    )
    const { returnSequences, returnState } = this.forwardLayer
    const [forward, backward] = results.map(({ output, last }) => (returnSequences ? transpose(output, 0, 1) : last))
    const merged = this.mergeMode === null ? [forward, backward] : [MERGE[this.mergeMode](forward, backward)]
    const outputs = returnState ? [...merged, ...results.flatMap((result) => result.states)] : merged
    return outputs.length === 1 ? outputs[0] : outputs
  }

  protected override passMask(inputs: Tensor | Tensor[], outputs: Tensor | Tensor[], context: CallContext): void {
    const mask = context.masks.get(Array.isArray(inputs) ? inputs[0] : inputs)
    if (!mask || !this.forwardLayer.returnSequences) return
    context.masks.set(Array.isArray(outputs) ? outputs[0] : outputs, mask)
  }

  override inboundArguments(inputs: readonly unknown[]): unknown[] {
    const [x, ...states] = inputs
    return states.length > 0 ? [x, states] : [x]
  }
}

/** Applies a layer to every step of [batch, steps, ...]. */
export class TimeDistributed extends Layer {
  override readonly className: string = 'TimeDistributed'
  override readonly supportsMasking = true

  constructor(
    readonly layer: Layer,
    options: LayerOptions = {},
  ) {
    super(options, { layer })
    if (!(layer instanceof Layer)) throw new TypeError(`TimeDistributed: expected a layer, got ${typeof layer}`)
  }

  override build(inputShape: InputShapes): void {
    const shape = singleShape(this, inputShape)
    if (shape.length < 3)
      throw new RangeError(
        `TimeDistributed ${this.name}: expected [batch, steps, ...features], got [${shape.map((n) => n ?? '?').join(', ')}]`,
      )
    this.layer.ensureBuilt([null, ...shape.slice(2)])
  }

  override call(x: Tensor, context: CallContext): Tensor {
    const [batch, steps, ...rest] = x.shape
    // Steps become examples: one run of the layer instead of one a step.
    const inner = { ...context, masks: callContext(context.training).masks }
    const y = this.layer.run(reshape(x, [batch * steps, ...rest]), inner) as Tensor
    return reshape(y, [batch, steps, ...y.shape.slice(1)])
  }
}
