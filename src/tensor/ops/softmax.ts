import { composite } from '../control.js'
import type { TensorLike } from '../core.js'
import { resolveDim } from '../dims.js'
import { cast, computeType, toFloat, widened } from '../promote.js'
import type { Tensor } from '../tensor.js'
import { exp, log, mul, neg, stopGradient, sub, trueDivide } from './elementwise.js'
import { defineGradient } from './gradient-rule.js'
import { reduceDims } from './reduce.js'
import { reshape } from './shape.js'

/** x minus its maximum along `dim`, which leaves the result of a softmax unchanged and keeps exp from overflowing. */
const centred = (x: Tensor, dim: number): Tensor => sub(x, stopGradient(reduceDims('max', x, [dim], true)))

function alongDim(name: string, like: TensorLike, dim: number, f: (x: Tensor, dim: number) => Tensor): Tensor {
  const x = toFloat(like)
  const at = resolveDim(name, dim, x.ndim, x)
  // Of a scalar there is one class.
  if (x.ndim === 0) return reshape(alongDim(name, reshape(x, 1), 0, f), [])
  const body = widened((y) => f(y, at))
  return composite(name, { dim: at }, [x], ([y]) => [body(y)])[0]
}

/** exp(x) / sum(exp(x)) along `dim`: composite `softmax`. */
export const softmax = (x: TensorLike, dim = -1): Tensor =>
  alongDim('softmax', x, dim, (y, at) => {
    const e = exp(centred(y, at))
    return trueDivide(e, reduceDims('sum', e, [at], true))
  })

/** log(softmax(x)) along `dim`, accurate where softmax underflows: composite `log_softmax`. */
export const logSoftmax = (x: TensorLike, dim = -1): Tensor =>
  alongDim('log_softmax', x, dim, (y, at) => {
    const shifted = centred(y, at)
    return sub(shifted, log(reduceDims('sum', exp(shifted), [at], true)))
  })

/** softmax(-x). */
export const softmin = (x: TensorLike, dim = -1): Tensor => softmax(neg(toFloat(x)), dim)

type SlopeBody = (ct: Tensor, y: Tensor, dim: number) => Tensor

/** States the gradient of `name` from the cotangent and the result, as a composite of its own: `<name>_grad`. */
function defineSlope(name: string, slope: SlopeBody): void {
  defineGradient(name, ([ct], { outputs: [y], attributes }) => {
    if (!ct) return [null]
    const dim = attributes.dim as number
    const wide = computeType(y.dtype)
    return composite(`${name}_grad`, { dim }, [ct, y], ([c, r]) => [
      cast(slope(cast(c, wide), cast(r, wide), dim), y.dtype),
    ])
  })
}

defineSlope('softmax', (ct, y, dim) => {
  const weighted = mul(ct, y)
  return sub(weighted, mul(y, reduceDims('sum', weighted, [dim], true)))
})

defineSlope('log_softmax', (ct, y, dim) => sub(ct, mul(exp(y), reduceDims('sum', ct, [dim], true))))
