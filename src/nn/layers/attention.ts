import { attentionWeights, dropout, scaledDotProductAttention } from '../../tensor/functional/index.js'
import { matmul, type Tensor, transpose } from '../../tensor/index.js'
import { type CallContext, type InputShapes, Layer } from '../layer.js'
import type { Child } from '../module.js'
import type { PartialShape } from '../symbolic.js'
import { additiveMask, inputMasks } from './attention-mask.js'
import { EinsumDense } from './einsum-dense.js'
import { checkCount, checkRate, type KernelOptions, kernelSettings, knownExtent } from './options.js'

export interface MultiHeadAttentionLayerOptions extends Omit<KernelOptions, 'activation'> {
  /** Width of a head's values; default keyDim. */
  valueDim?: number | null
  /** Share of attention weights dropped in training. */
  dropout?: number
  /** Width of the output; default that of the query. */
  outputShape?: number | readonly number[] | null
  /** Hides later positions. Keras has it as an argument of the call. */
  useCausalMask?: boolean
  /** Gives the weights [batch, heads, queries, keys], too: the output is a list. Keras has it as an argument of the call. */
  returnAttentionScores?: boolean
}

/**
 * Multi-head attention (Vaswani et al. 2017). Inputs [query, value] or [query, value, key], [batch, positions, features] each (key
 * defaults to value), and a bool mask [batch, queries, keys] may come fourth; a single tensor attends to itself.
 * Weights: query, key, value kernels [features, heads, width] and biases [heads, width], attention_output [heads, width, features].
 */
export class MultiHeadAttention extends Layer {
  override readonly className: string = 'MultiHeadAttention'
  override readonly supportsMasking = true
  private dense: Record<'query' | 'key' | 'value' | 'attention_output', EinsumDense> | null = null

  constructor(
    readonly numHeads: number,
    readonly keyDim: number,
    private readonly options: MultiHeadAttentionLayerOptions = {},
  ) {
    const { activation: _, ...settings } = kernelSettings(options)
    super(options, {
      numHeads,
      keyDim,
      valueDim: options.valueDim ?? keyDim,
      dropout: options.dropout ?? 0,
      outputShape: options.outputShape ?? null,
      // Not options of Keras' layer, so written only where they are set.
      ...(options.useCausalMask ? { useCausalMask: true } : {}),
      ...(options.returnAttentionScores ? { returnAttentionScores: true } : {}),
      ...settings,
    })
    checkCount('MultiHeadAttention', 'numHeads', numHeads)
    checkCount('MultiHeadAttention', 'keyDim', keyDim)
    checkRate('MultiHeadAttention', options.dropout ?? 0)
  }

  protected override *children(): Iterable<Child> {
    for (const [name, layer] of Object.entries(this.dense ?? {})) yield [name, layer]
  }

  private projection(name: string, equation: string, shape: readonly (number | null)[], biasAxes: string): EinsumDense {
    const { name: _, inputShape: __, activityRegularizer: ___, ...common } = this.options
    const useBias = this.options.useBias ?? true
    return new EinsumDense(equation, shape, { ...common, name, biasAxes: useBias ? biasAxes : null })
  }

  override build(shapes: InputShapes): void {
    const list = (Array.isArray(shapes[0]) ? shapes : [shapes]) as readonly PartialShape[]
    const [query, value = query, key = value] = list
    for (const shape of [query, value, key])
      if (shape.length !== 3)
        throw new RangeError(
          `MultiHeadAttention ${this.name}: inputs must be [batch, positions, features], got [${shape.map((n) => n ?? '?').join(', ')}]`,
        )
    const { numHeads, keyDim } = this
    const valueDim = this.options.valueDim ?? keyDim
    const features = this.options.outputShape ?? knownExtent(this, query, -1)
    const width = typeof features === 'number' ? features : features[0]
    this.dense = {
      query: this.projection('query', 'abc,cde->abde', [null, numHeads, keyDim], 'de'),
      key: this.projection('key', 'abc,cde->abde', [null, numHeads, keyDim], 'de'),
      value: this.projection('value', 'abc,cde->abde', [null, numHeads, valueDim], 'de'),
      attention_output: this.projection('attention_output', 'abcd,cde->abe', [null, width], 'e'),
    }
    this.dense.query.ensureBuilt(query)
    this.dense.key.ensureBuilt(key)
    this.dense.value.ensureBuilt(value)
    this.dense.attention_output.ensureBuilt([null, query[1], numHeads, valueDim])
  }

  override call(inputs: Tensor | Tensor[], context: CallContext): Tensor | Tensor[] {
    const dense = this.dense as NonNullable<typeof this.dense>
    const [query, value = query, key = value, given] = Array.isArray(inputs) ? inputs : [inputs]
    const heads = (layer: EinsumDense, x: Tensor): Tensor => transpose(layer.call(x), 1, 2)
    const [q, k, v] = [heads(dense.query, query), heads(dense.key, key), heads(dense.value, value)]
    const masks = inputMasks([query, value, key], given, context)
    const mask = additiveMask(masks, [query, value], this.options.useCausalMask ?? false)
    const options = { mask, causal: mask === null && (this.options.useCausalMask ?? false) }
    const rate = context.training ? (this.options.dropout ?? 0) : 0
    const wanted = this.options.returnAttentionScores ?? false
    const weights = wanted ? attentionWeights(q, k, options) : null
    const mixed = weights
      ? matmul(dropout(weights, { p: rate, training: rate > 0 }), v)
      : scaledDotProductAttention(q, k, v, { ...options, dropout: rate })
    const output = dense.attention_output.call(transpose(mixed, 1, 2))
    return wanted && weights ? [output, weights] : output
  }

  // As in Keras the output has the mask of the queries, and the inputs lose theirs: what else they go to does not see it.
  protected override passMask(inputs: Tensor | Tensor[], outputs: Tensor | Tensor[], { masks }: CallContext): void {
    const list = Array.isArray(inputs) ? inputs : [inputs]
    const mask = masks.get(list[0])
    for (const input of list) masks.delete(input)
    if (mask) masks.set(Array.isArray(outputs) ? outputs[0] : outputs, mask)
  }
}
