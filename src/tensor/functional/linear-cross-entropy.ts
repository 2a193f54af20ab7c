import { type AttrValue, isInteger, sizeOf } from '../../ir/index.js'
import { composite } from '../control.js'
import { asTensor, record, type TensorLike } from '../core.js'
import { typeText } from '../dims.js'
import { add } from '../ops/elementwise.js'
import { defineGradient } from '../ops/gradient-rule.js'
import { sum } from '../ops/reduce.js'
import { reshape } from '../ops/shape.js'
import { cast, floatType, resultType } from '../promote.js'
import type { Tensor } from '../tensor.js'
import { present } from './constants.js'
import { type ClassLossOptions, crossEntropyBody, crossEntropyGradBody, reduceRows } from './loss-class.js'

type Attributes = Readonly<Record<string, AttrValue>>

const contract = (lhs: Tensor, rhs: Tensor, left: number, right: number): Tensor =>
  record('dot_general', [lhs, rhs], { lhs_batch: [], rhs_batch: [], lhs_contract: [left], rhs_contract: [right] })

const logitsOf = (hidden: Tensor, weight: Tensor, bias: Tensor | undefined): Tensor => {
  const logits = contract(hidden, weight, 1, 1)
  return bias ? add(logits, bias) : logits
}

const lossAttributes = ({ ignore_index }: Attributes): Attributes => ({
  ignore_index,
  label_smoothing: 0,
  weight: false,
})

/** Inputs hidden [rows, D], weight [classes, D], labels i32 [rows], bias?; result losses [rows]. */
function linearCrossEntropyBody(attributes: Attributes): (inputs: Tensor[]) => Tensor[] {
  const losses = crossEntropyBody(lossAttributes(attributes))
  return ([hidden, weight, labels, bias]) => losses([logitsOf(hidden, weight, bias), labels])
}

/** Inputs ct [rows], then those of the loss; results losses, dhidden, dweight, dbias?. */
function linearCrossEntropyGradBody(attributes: Attributes): (inputs: Tensor[]) => Tensor[] {
  const losses = crossEntropyBody(lossAttributes(attributes))
  const slopesOf = crossEntropyGradBody(lossAttributes(attributes))
  return ([ct, hidden, weight, labels, bias]) => {
    const logits = logitsOf(hidden, weight, bias)
    const [slopes] = slopesOf([ct, logits, labels])
    const dbias = bias ? sum(slopes, 0) : null
    return present(losses([logits, labels])[0], contract(slopes, weight, 1, 0), contract(slopes, hidden, 0, 0), dbias)
  }
}

defineGradient('linear_cross_entropy', ([ct], { attributes, inputs }) => {
  const name = 'linear_cross_entropy_grad'
  const grads = composite(name, attributes, present(ct, ...inputs), linearCrossEntropyGradBody(attributes))
  const [, dhidden, dweight, dbias] = grads
  return [dhidden, dweight, null, dbias ?? null].slice(0, inputs.length)
})

export interface LinearCrossEntropyOptions extends Omit<ClassLossOptions, 'weight'> {
  /** Added to the scores [classes]. */
  bias?: TensorLike | null
}

/**
 * `crossEntropy(linear(hidden, weight, bias), target)` that never holds all scores: a chunk of rows at a time is scored and, for the
 * gradient, multiplied back. `hidden` [..., D], `weight` [classes, D], `target` class indices [...]. Composite `linear_cross_entropy`.
 * @throws RangeError when shapes do not fit, IndexError for a target outside the classes.
 */
export function linearCrossEntropy(
  hidden: TensorLike,
  weight: TensorLike,
  target: TensorLike,
  options: LinearCrossEntropyOptions = {},
): Tensor {
  const op = 'linearCrossEntropy'
  const dtype = floatType(resultType(hidden, weight))
  const [x, w] = [cast(hidden, dtype), cast(weight, dtype)]
  const given = asTensor(target)
  const lead = x.shape.slice(0, -1)
  const fits = x.ndim > 0 && w.ndim === 2 && w.shape[1] === x.shape[x.ndim - 1]
  const same = lead.length === given.ndim && lead.every((n, i) => n === given.shape[i])
  if (!fits || !same || !isInteger(given.dtype))
    throw new RangeError(
      `${op}: expected hidden [..., d], weight [classes, d] and integers [...], got ${[x, w, given].map(typeText).join(', ')}`,
    )
  const bias = options.bias === null || options.bias === undefined ? null : cast(options.bias, dtype)
  if (bias && (bias.ndim !== 1 || bias.shape[0] !== w.shape[0]))
    throw new RangeError(`${op}: bias must have shape [${w.shape[0]}], got ${typeText(bias)}`)
  const rows = sizeOf(lead)
  const labels = reshape(cast(given, 'i32'), rows)
  const attributes = { ignore_index: options.ignoreIndex ?? -100, bias: bias !== null }
  const inputs = present(reshape(x, rows, w.shape[1]), w, labels, bias)
  const [losses] = composite('linear_cross_entropy', attributes, inputs, linearCrossEntropyBody(attributes))
  return reduceRows(op, losses, { labels, shape: lead }, null, options)
}
