import {
  amax,
  asTensor,
  bucketize,
  mul,
  oneHot,
  reshape,
  sum,
  type Tensor,
  type TensorLike,
  tensor,
  unsqueeze,
} from '../../tensor/index.js'
import { Layer, type LayerOptions } from '../layer.js'
import { checkChoice, checkCount } from './options.js'

export type CategoryMode = 'one_hot' | 'multi_hot' | 'count'
export const MODES: readonly CategoryMode[] = ['one_hot', 'multi_hot', 'count']

/** Numbers of categories as vectors of `depth`. As keras' encode_categorical_inputs. */
export function encode(given: Tensor, mode: CategoryMode, depth: number, weights: Tensor | null = null): Tensor {
  const index = given.ndim === 0 ? reshape(given, 1) : given
  const single = mode === 'one_hot' && index.ndim > 1 && index.shape[index.ndim - 1] === 1
  const hot = oneHot((single ? index.squeeze(-1) : index).to('i32'), depth, { dtype: 'f32' })
  if (mode === 'one_hot') return hot
  const axis = index.ndim > 1 ? 1 : 0
  if (mode === 'count') return sum(weights ? mul(hot, unsqueeze(weights, -1)) : hot, axis)
  return index.shape[axis] === 0 ? sum(hot, axis) : amax(hot, axis)
}

/** Numbers of categories [batch, n] -> [batch, numTokens]: which occur, how often, or (one_hot) each as a vector. Weights of counts may come second. */
export class CategoryEncoding extends Layer {
  override readonly className: string = 'CategoryEncoding'
  private readonly mode: CategoryMode

  constructor(
    readonly numTokens: number,
    options: LayerOptions & {
      /** Default multi_hot. */
      outputMode?: CategoryMode | 'binary'
    } = {},
  ) {
    const given = options.outputMode ?? 'multi_hot'
    const outputMode = given === 'binary' ? 'multi_hot' : given
    super(options, { numTokens, outputMode })
    checkCount('CategoryEncoding', 'numTokens', numTokens)
    this.mode = checkChoice('CategoryEncoding', 'outputMode', outputMode, MODES)
  }

  override call(inputs: Tensor | Tensor[]): Tensor {
    const [x, weights = null] = Array.isArray(inputs) ? inputs : [inputs]
    if (weights && this.mode !== 'count')
      throw new RangeError(
        `CategoryEncoding ${this.name}: weights of counts need outputMode 'count', not '${this.mode}'`,
      )
    return encode(x, this.mode, this.numTokens, weights)
  }
}

/** Values in order with how many examples each stands for. */
interface Summary {
  readonly values: readonly number[]
  readonly counts: readonly number[]
}

/** Piecewise linear through (xs, ys), constant beyond them: numpy.interp. */
function interpolated(at: number, xs: readonly number[], ys: readonly number[]): number {
  if (at <= xs[0]) return ys[0]
  const next = xs.findIndex((x) => x >= at)
  if (next < 0) return ys[ys.length - 1]
  const [x0, x1, y0, y1] = [xs[next - 1], xs[next], ys[next - 1], ys[next]]
  return y0 + ((at - x0) / (x1 - x0)) * (y1 - y0)
}

function compressed({ values, counts }: Summary, epsilon: number): Summary {
  if (values.length * epsilon < 1) return { values, counts }
  let total = 0
  const upTo = counts.map((count) => (total += count))
  const shares = upTo.map((count) => count / total)
  const steps = Array.from({ length: Math.ceil(1 / epsilon) }, (_, i) => epsilon + i * epsilon)
  const reached = steps.map((share) => interpolated(share, shares, upTo))
  return {
    values: steps.map((share) => Math.fround(interpolated(share, shares, values))),
    counts: reached.map((count, i) => Math.fround(count - (i === 0 ? 0 : reached[i - 1]))),
  }
}

/** About 1 / epsilon of the values, each for as many. */
function summarised(data: ArrayLike<number>, epsilon: number): Summary {
  const sorted = Float32Array.from(data).sort()
  const step = Math.max(sorted.length * epsilon, 1)
  const values: number[] = []
  for (let i = Math.trunc(step - 1); i < sorted.length; i += Math.trunc(step)) values.push(sorted[i])
  return { values, counts: values.map(() => Math.fround(step)) }
}

function merged(a: Summary, b: Summary, epsilon: number): Summary {
  const pairs = [a, b].flatMap(({ values, counts }) => values.map((value, i) => [value, counts[i]] as const))
  pairs.sort((p, q) => p[0] - q[0])
  return compressed({ values: pairs.map(([value]) => value), counts: pairs.map(([, count]) => count) }, epsilon)
}

export interface DiscretizationOptions extends LayerOptions {
  /** Where intervals begin, ascending; or `numBins` and {@link Discretization.adapt}. */
  binBoundaries?: readonly number[] | null
  /** Number of intervals of about equal numbers of examples. */
  numBins?: number | null
  /** Precision of the shares that `adapt` finds; default 0.01. */
  epsilon?: number
  /** Default int: the number of the interval (i32). */
  outputMode?: CategoryMode | 'int'
}

/** Numbers -> the intervals in which they lie: 0 below the first boundary, and so on; at a boundary the one above. */
export class Discretization extends Layer {
  override readonly className: string = 'Discretization'
  private readonly mode: CategoryMode | 'int'
  #boundaries: readonly number[] | null
  #summary: Summary = { values: [], counts: [] }

  constructor(private readonly options: DiscretizationOptions = {}) {
    const { binBoundaries = null, numBins = null, epsilon = 0.01, outputMode = 'int' } = options
    super(options, { binBoundaries, numBins, epsilon, outputMode, sparse: false })
    if (binBoundaries === null && numBins === null)
      throw new RangeError('Discretization: give binBoundaries or numBins')
    if (numBins !== null) checkCount('Discretization', 'numBins', numBins)
    if (!(epsilon > 0 && epsilon <= 1))
      throw new RangeError(`Discretization: epsilon must lie in (0, 1], got ${epsilon}`)
    this.mode = checkChoice('Discretization', 'outputMode', outputMode, ['int', ...MODES])
    this.#boundaries = binBoundaries
  }

  /** Finds the boundaries of data; further data may be given in turn. @throws Error where boundaries were given */
  async adapt(data: TensorLike): Promise<void> {
    const { numBins, epsilon = 0.01 } = this.options
    if (!numBins) throw new Error(`Discretization ${this.name} was given binBoundaries; give numBins to adapt`)
    const values = Array.from(await asTensor(data).to('f32').data(), Number)
    this.#summary = merged(summarised(values, epsilon), this.#summary, epsilon)
    this.#boundaries = compressed(this.#summary, 1 / numBins).values.slice(0, -1)
  }

  override call(x: Tensor): Tensor {
    if (!this.#boundaries)
      throw new Error(`Discretization ${this.name}: give binBoundaries, or call adapt(data) before its first use`)
    const given = this.toFloat(x)
    const boundaries = this.#boundaries
    const index =
      boundaries.length === 0
        ? mul(given, 0).to('i32')
        : bucketize(given, tensor(boundaries, { dtype: given.dtype }), { right: true }).to('i32')
    return this.mode === 'int' ? index : encode(index, this.mode, boundaries.length + 1)
  }

  // Keras' layer takes no other options.
  override config(): Record<string, unknown> {
    const { trainable: _, ...own } = super.config()
    return { ...own, bin_boundaries: this.#boundaries }
  }
}
