import type { Value } from '../../ir/index.js'
import * as e from '../emit.js'

const SHIFTS = 10

/** Bernoulli numbers B(2), B(4), ... of the asymptotic series (Abramowitz and Stegun 6.4.11). */
const BERNOULLI = [1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6]

/** Derivative of digamma at `x` >= 1/2: recurrence up to 10, then the asymptotic series. */
function trigammaRight(x: Value): Value {
  let total = e.zeros(x)
  for (let k = 0; k < SHIFTS; k++) total = e.add(total, e.divide(e.like(x, 1), e.square(e.add(x, e.like(x, k)))))
  const inverse = e.divide(e.like(x, 1), e.add(x, e.like(x, SHIFTS)))
  const inverseSquare = e.square(inverse)
  let series = e.like(x, BERNOULLI[BERNOULLI.length - 1])
  for (let k = BERNOULLI.length - 2; k >= 0; k--)
    series = e.add(e.multiply(series, inverseSquare), e.like(x, BERNOULLI[k]))
  const tail = e.add(
    e.multiply(inverse, e.add(e.multiply(series, inverseSquare), e.like(x, 1))),
    e.scale(inverseSquare, 0.5),
  )
  return e.add(total, tail)
}

function trigammaBody(x: Value): Value {
  const one = e.like(x, 1)
  const isLeft = e.compare('LT', x, e.like(x, 0.5))
  const right = trigammaRight(e.select(isLeft, e.subtract(one, x), x))
  const sine = e.unary('sine', e.scale(x, Math.PI))
  // Reflection: trigamma(x) + trigamma(1 - x) = (pi / sin pi x)^2.
  const reflected = e.subtract(e.square(e.divide(e.like(x, Math.PI), e.select(isLeft, sine, one))), right)
  return e.select(isLeft, reflected, right)
}

/** Derivative of digamma, as the composite `trigamma`. */
export const trigamma = (x: Value): Value => e.composite('trigamma', {}, [x], (param) => [trigammaBody(param)])[0]
