import { attentionWeights, dropout, scaledDotProductAttention } from '../../tensor/functional/index.js'
import {
  abs,
  arange,
  lt,
  matmul,
  mul,
  repeatInterleave,
  sub,
  type Tensor,
  transpose,
  unsqueeze,
} from '../../tensor/index.js'
import { type CallContext, type InputShapes, Layer } from '../layer.js'
import type { Child } from '../module.js'
import type { PartialShape } from '../symbolic.js'
import { additiveMask, inputMasks } from './attention-mask.js'
import { EinsumDense } from './einsum-dense.js'
import { checkCount, checkRate, type KernelOptions, kernelSettings, knownExtent } from './options.js'

export interface GroupQueryAttentionOptions extends Omit<KernelOptions, 'activation'> {
  /** Share of attention weights dropped in training. */
  dropout?: number
  /** Hides keys that are so many positions away, or more. */
  slidingWindow?: number | null
  /** Multiplies what the heads give by a gate that is learnt from the query. */
  useGate?: boolean
  /** Hides later positions. Keras has it as an argument of the call. */
  useCausalMask?: boolean
  /** Gives the weights [batch, heads, queries, keys], too: the output is a list. Keras has it as an argument of the call. */
  returnAttentionScores?: boolean
}

type Part = 'query' | 'key' | 'gate' | 'value' | 'attention_output'

/**
 * Attention whose query heads share fewer heads of keys and values (Ainslie et al. 2023). Inputs [query, value] or [query, value, key],
 * [batch, positions, features] each, and a bool mask [batch, queries, keys] may come fourth; a single tensor attends to itself. Weights: kernels
 * [features, heads, headDim] and biases [heads, headDim] of query, key, gate (with `useGate`) and value, attention_output [heads, headDim, features].
 */
export class GroupQueryAttention extends Layer {
  override readonly className: string = 'GroupQueryAttention'
  override readonly supportsMasking = true
  #parts: Partial<Record<Part, EinsumDense>> = {}

  constructor(
    readonly headDim: number,
    readonly numQueryHeads: number,
    readonly numKeyValueHeads: number,
    private readonly options: GroupQueryAttentionOptions = {},
  ) {
    const { activation: _, ...settings } = kernelSettings(options)
    super(options, {
      headDim,
      numQueryHeads,
      numKeyValueHeads,
      dropout: options.dropout ?? 0,
      slidingWindow: options.slidingWindow ?? null,
      useGate: options.useGate ?? false,
      ...(options.useCausalMask ? { useCausalMask: true } : {}),
      ...(options.returnAttentionScores ? { returnAttentionScores: true } : {}),
      ...settings,
    })
    for (const [what, count] of Object.entries({ headDim, numQueryHeads, numKeyValueHeads }))
      checkCount('GroupQueryAttention', what, count)
    if (numQueryHeads % numKeyValueHeads !== 0)
      throw new RangeError(
        `GroupQueryAttention: ${numQueryHeads} query heads do not divide into ${numKeyValueHeads} heads of keys and values`,
      )
    checkRate('GroupQueryAttention', options.dropout ?? 0)
    if (options.slidingWindow !== null && options.slidingWindow !== undefined)
      checkCount('GroupQueryAttention', 'slidingWindow', options.slidingWindow)
  }

  protected override *children(): Iterable<Child> {
    if (#parts in this) yield* Object.entries(this.#parts)
  }

  private projection(name: Part, heads: number, input: PartialShape): EinsumDense {
    const { name: _, inputShape: __, activityRegularizer: ___, ...common } = this.options
    const bias = (this.options.useBias ?? true) ? 'de' : null
    const activation = name === 'gate' ? { activation: 'sigmoid' } : {}
    const shape = [null, heads, this.headDim]
    const made = new EinsumDense('abc,cde->abde', shape, { ...common, ...activation, name, biasAxes: bias })
    made.ensureBuilt(input)
    return made
  }

  override build(shapes: InputShapes): void {
    const list = (Array.isArray(shapes[0]) ? shapes : [shapes]) as readonly PartialShape[]
    const [query, value = query, key = value] = list
    for (const shape of [query, value, key])
      if (shape.length !== 3)
        throw new RangeError(
          `GroupQueryAttention ${this.name}: inputs must be [batch, positions, features], got [${shape.map((n) => n ?? '?').join(', ')}]`,
        )
    const { name: _, inputShape: __, activityRegularizer: ___, ...common } = this.options
    const biasAxes = (this.options.useBias ?? true) ? 'e' : null
    const width = knownExtent(this, query, -1)
    const output = new EinsumDense('abcd,cde->abe', [null, width], { ...common, name: 'attention_output', biasAxes })
    output.ensureBuilt([null, query[1], this.numQueryHeads, this.headDim])
    this.#parts = {
      query: this.projection('query', this.numQueryHeads, query),
      key: this.projection('key', this.numKeyValueHeads, key),
      ...(this.options.useGate ? { gate: this.projection('gate', this.numQueryHeads, query) } : {}),
      value: this.projection('value', this.numKeyValueHeads, value),
      attention_output: output,
    }
  }

  override call(inputs: Tensor | Tensor[], context: CallContext): Tensor | Tensor[] {
    const parts = this.#parts as Record<Exclude<Part, 'gate'>, EinsumDense> & { gate?: EinsumDense }
    const [query, value = query, key = value, given] = Array.isArray(inputs) ? inputs : [inputs]
    const heads = (layer: EinsumDense, x: Tensor): Tensor => transpose(layer.call(x), 1, 2)
    const [q, k, v] = [heads(parts.query, query), heads(parts.key, key), heads(parts.value, value)]
    const mask = this.mask([query, value, key], given, context)
    const options = { mask, causal: mask === null && (this.options.useCausalMask ?? false) }
    const rate = context.training ? (this.options.dropout ?? 0) : 0
    const wide = (x: Tensor): Tensor => repeatInterleave(x, this.numQueryHeads / this.numKeyValueHeads, 1)
    const weights = this.options.returnAttentionScores ? attentionWeights(q, wide(k), options) : null
    const mixed = weights
      ? matmul(dropout(weights, { p: rate, training: rate > 0 }), wide(v))
      : scaledDotProductAttention(q, k, v, { ...options, dropout: rate })
    const joined = transpose(mixed, 1, 2)
    const output = parts.attention_output.call(parts.gate ? mul(joined, parts.gate.call(query)) : joined)
    return weights ? [output, weights] : output
  }

  // As in Keras the output has the mask of the queries.
  protected override passMask(inputs: Tensor | Tensor[], outputs: Tensor | Tensor[], { masks }: CallContext): void {
    const list = Array.isArray(inputs) ? inputs : [inputs]
    const mask = masks.get(list[0])
    if (mask) masks.set(Array.isArray(outputs) ? outputs[0] : outputs, mask)
  }

  /** What {@link additiveMask} makes of the masks of the inputs, of a given one [batch, queries, keys] and of the window. */
  private mask(inputs: readonly Tensor[], given: Tensor | undefined, context: CallContext): Tensor | null {
    const [query, value] = inputs
    const size = this.options.slidingWindow
    const near = (reach: number): Tensor =>
      unsqueeze(lt(abs(sub(unsqueeze(arange(query.shape[1]), 1), arange(value.shape[1]))), reach), 0)
    const shown = [...inputMasks(inputs, given, context), size ? near(size) : undefined]
    return additiveMask(shown, [query, value], this.options.useCausalMask ?? false)
  }
}
