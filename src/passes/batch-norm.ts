import {
  apply,
  cloneWith,
  Graph,
  isOp,
  makeNode,
  type Node,
  type OpAttrs,
  type Steps,
  splat,
  type Value,
} from '../ir/index.js'
import { rewriteSteps } from './rewrite.js'

/** Name of the composites that {@link splitBatchNorm} makes: x; mean and biased variance of each channel. Attributes: those of the whole. */
export const BATCH_NORM_STATISTICS = 'batch_norm_statistics'

type Attributes = OpAttrs['composite']['attributes']

/** Mean and variance alone, by the part of the body that computes them. */
function statistics(x: Value, attributes: Attributes, body: Graph): readonly Value[] {
  const param = apply('parameter', [], { shape: x.shape, dtype: x.dtype })
  const results = cloneWith(body.results.slice(1), new Map([[body.params[0], param]]))
  const attrs = { name: BATCH_NORM_STATISTICS, attributes, body: new Graph([param], results) }
  return makeNode('composite', [x], attrs).outputs
}

const cast = (value: Value, { dtype }: Value): Value =>
  value.dtype === dtype ? value : apply('convert', [value], { dtype })

function split(node: Node<'composite'>, inputs: readonly Value[]): readonly Value[] {
  const { attributes, body } = node.attrs
  const [x, ...affine] = inputs
  const [mean, variance] = statistics(x, attributes, body)
  const given = [...affine].map((value) => cast(value, mean))
  const weight = attributes.weight ? given.shift() : undefined
  const bias = attributes.bias ? given.shift() : undefined
  const spread = (value: Value): Value =>
    apply('broadcast_in_dim', [value], { shape: x.shape, dims: [attributes.feature as number] })
  const epsilon = splat(attributes.epsilon as number, variance.shape, variance.dtype)
  const inverse = apply('rsqrt', [apply('add', [variance, epsilon], {})], {})
  const scale = weight ? apply('multiply', [inverse, weight], {}) : inverse
  const centred = apply('subtract', [cast(x, mean), spread(mean)], {})
  const scaled = apply('multiply', [centred, spread(scale)], {})
  const y = bias ? apply('add', [scaled, spread(bias)], {}) : scaled
  return [cast(y, x), mean, variance]
}

/**
 * Batch norm by the batch's own statistics becomes those statistics, one kernel, and elementwise work, which joins what follows: a shortcut and
 * an activation are applied in the pass that normalises.
 */
export const splitBatchNorm = (graph: Graph): Steps<Graph> =>
  rewriteSteps(graph, (node, inputs) =>
    isOp(node, 'composite') && node.attrs.name === 'batch_norm_train'
      ? split(node as unknown as Node<'composite'>, inputs)
      : null,
  )
