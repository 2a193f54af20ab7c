import { dropout } from '../../tensor/functional/index.js'
import {
  add,
  cumsum,
  ge,
  logicalAnd,
  matmul,
  mul,
  ones,
  type Parameter,
  softmax,
  sub,
  sum,
  type Tensor,
  tanh,
  transpose,
  unsqueeze,
  where,
} from '../../tensor/index.js'
import { type CallContext, type InputShapes, Layer, type LayerOptions } from '../layer.js'
import type { PartialShape } from '../symbolic.js'
import { checkChoice, checkRate, knownExtent } from './options.js'

interface ScoreOptions extends LayerOptions {
  /** Share of attention weights dropped in training. */
  dropout?: number
  /** Hides later positions. Keras has it as an argument of the call. */
  useCausalMask?: boolean
  /** Gives the weights [batch, queries, keys], too. Keras has it as an argument of the call. */
  returnAttentionScores?: boolean
}

export interface AttentionLayerOptions extends ScoreOptions {
  /** Learns a factor of the scores. */
  useScale?: boolean
  /** 'dot' (default): products; 'concat': the tanh of sums, with a learned factor. */
  scoreMode?: 'dot' | 'concat'
}

export interface AdditiveAttentionOptions extends ScoreOptions {
  /** Learns a factor of every feature; default true. */
  useScale?: boolean
}

/** Added to scores that are masked, as in Keras. */
const HIDDEN = 1e9

/** Inputs [query, value] or [query, value, key] of [batch, positions, features]; the masks of query and value count. */
abstract class ScoredAttention extends Layer {
  override readonly supportsMasking = true

  constructor(
    private readonly scoreOptions: ScoreOptions,
    settings: object,
  ) {
    super(scoreOptions, {
      dropout: scoreOptions.dropout ?? 0,
      ...(scoreOptions.useCausalMask ? { useCausalMask: true } : {}),
      ...(scoreOptions.returnAttentionScores ? { returnAttentionScores: true } : {}),
      ...settings,
    })
    checkRate('Attention', scoreOptions.dropout ?? 0)
  }

  override get takesList(): boolean {
    return true
  }

  protected shapesOf(shapes: InputShapes): readonly PartialShape[] {
    if (!Array.isArray(shapes[0]) || shapes.length < 2 || shapes.length > 3)
      throw new RangeError(`${this.className} ${this.name}: expected [query, value] or [query, value, key]`)
    return shapes as readonly PartialShape[]
  }

  protected abstract scores(query: Tensor, key: Tensor): Tensor

  private shown(scores: Tensor, mask: Tensor | undefined): Tensor | null {
    const values = mask ? unsqueeze(mask, 1) : null
    if (!this.scoreOptions.useCausalMask) return values
    const one = ones([1, ...scores.shape.slice(1)], { dtype: 'i32' })
    const causal = ge(cumsum(one, 1), cumsum(one, 2))
    return values ? logicalAnd(values, causal) : causal
  }

  override call(inputs: Tensor | Tensor[], context: CallContext): Tensor | Tensor[] {
    const list = Array.isArray(inputs) ? inputs : [inputs]
    const [query, value, key = value] = list.map((x) => this.toFloat(x))
    const plain = this.scores(query, key)
    const shown = this.shown(plain, context.masks.get(list[1]))
    const weights = softmax(shown ? where(shown, plain, sub(plain, HIDDEN)) : plain, -1)
    const { training } = context
    const output = matmul(dropout(weights, { p: this.scoreOptions.dropout ?? 0, training }), value)
    const rows = context.masks.get(list[0])
    const result = rows ? where(unsqueeze(rows, -1), output, 0) : output
    return this.scoreOptions.returnAttentionScores ? [result, weights] : result
  }
}

/** Dot-product attention without projections (Luong et al. 2015). Weights with useScale: scale []; with scoreMode 'concat' concat_score_weight []. */
export class Attention extends ScoredAttention {
  override readonly className: string = 'Attention'
  private scale: Parameter | null = null
  private concatScoreWeight: Parameter | null = null
  private readonly scoreMode: 'dot' | 'concat'

  constructor(private readonly options: AttentionLayerOptions = {}) {
    const scoreMode = checkChoice('Attention', 'scoreMode', options.scoreMode ?? 'dot', ['dot', 'concat'])
    super(options, { useScale: options.useScale ?? false, scoreMode })
    this.scoreMode = scoreMode
  }

  override build(shapes: InputShapes): void {
    this.shapesOf(shapes)
    if (this.options.useScale) this.scale = this.addWeight('scale', [], { initializer: 'ones' })
    if (this.scoreMode === 'concat')
      this.concatScoreWeight = this.addWeight('concat_score_weight', [], { initializer: 'ones' })
  }

  protected override scores(query: Tensor, key: Tensor): Tensor {
    if (this.scoreMode === 'dot') {
      const scores = matmul(query, transpose(key, -2, -1))
      return this.scale ? mul(scores, this.scale) : scores
    }
    const sums = add(unsqueeze(query, -2), unsqueeze(key, -3))
    return mul(sum(tanh(this.scale ? mul(sums, this.scale) : sums), -1), this.concatScoreWeight as Parameter)
  }
}

/** Additive attention (Bahdanau et al. 2014): scores are sums of tanh(query + key). Weight with useScale: scale [features]. */
export class AdditiveAttention extends ScoredAttention {
  override readonly className: string = 'AdditiveAttention'
  private scale: Parameter | null = null

  constructor(private readonly options: AdditiveAttentionOptions = {}) {
    super(options, { useScale: options.useScale ?? true })
  }

  override build(shapes: InputShapes): void {
    const [query] = this.shapesOf(shapes)
    if (this.options.useScale ?? true)
      this.scale = this.addWeight('scale', [knownExtent(this, query, -1)], { initializer: 'glorot_uniform' })
  }

  protected override scores(query: Tensor, key: Tensor): Tensor {
    const bent = tanh(add(unsqueeze(query, -2), unsqueeze(key, -3)))
    return sum(this.scale ? mul(bent, this.scale) : bent, -1)
  }
}
