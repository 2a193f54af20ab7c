/** Special functions in double precision: relative error about 1e-15, but for digamma near its zeros (absolute 1e-15). */

/** Evaluates c[0] + c[1] x + ... */
function polynomial(c: readonly number[], x: number): number {
  let sum = c[c.length - 1]
  for (let i = c.length - 2; i >= 0; i--) sum = sum * x + c[i]
  return sum
}

// W. J. Cody, "Rational Chebyshev approximations for the error function", Math. Comp. 23 (1969): coefficients, lowest power first.
const ERF_P = [3209.3775891384694, 377.485237685302, 113.86415415105016, 3.1611237438705655, 0.18577770618460315]
const ERF_Q = [2844.236833439171, 1282.6165260773723, 244.02463793444417, 23.601290952344122, 1]
const ERFC_P = [
  1230.3393547979972, 2051.0783778260716, 1712.0476126340707, 881.952221241769, 298.6351381974001, 66.11919063714163,
  8.883149794388377, 0.5641884969886701, 2.1531153547440383e-8,
]
const ERFC_Q = [
  1230.3393548037495, 3439.3676741437216, 4362.619090143247, 3290.7992357334597, 1621.3895745666903, 537.1811018620099,
  117.6939508913125, 15.744926110709835, 1,
]
const TAIL_P = [
  -0.0006587491615298378, -0.016083785148742275, -0.12578172611122926, -0.36034489994980445, -0.30532663496123236,
  -0.016315387137302097,
]
const TAIL_Q = [
  0.0023352049762686918, 0.06051834131244132, 0.5279051029514285, 1.8729528499234673, 2.568520192289822, 1,
]

/** exp(-x^2) with x split so that the square of the leading part is exact. */
function expMinusSquare(x: number): number {
  const head = Math.trunc(x * 16) / 16
  return Math.exp(-head * head) * Math.exp(-(x - head) * (x + head))
}

/** erfc(x) for x >= 0.46875. */
function erfcTail(x: number): number {
  if (x > 27.3) return 0
  if (x <= 4) return (expMinusSquare(x) * polynomial(ERFC_P, x)) / polynomial(ERFC_Q, x)
  const z = 1 / (x * x)
  return (expMinusSquare(x) / x) * (1 / Math.sqrt(Math.PI) + (z * polynomial(TAIL_P, z)) / polynomial(TAIL_Q, z))
}

export function erf(x: number): number {
  const size = Math.abs(x)
  if (size <= 0.46875) return (x * polynomial(ERF_P, x * x)) / polynomial(ERF_Q, x * x)
  if (Number.isNaN(x)) return x
  const value = 1 - erfcTail(size)
  return x < 0 ? -value : value
}

export function erfc(x: number): number {
  if (Math.abs(x) <= 0.46875) return 1 - erf(x)
  if (Number.isNaN(x)) return x
  return x < 0 ? 2 - erfcTail(-x) : erfcTail(x)
}

// M. J. Wichura, "Algorithm AS 241: the percentage points of the normal distribution", Applied Statistics 37 (1988).
const NORMAL_A = [
  3.3871328727963665, 133.14166789178438, 1971.5909503065513, 13731.69376550946, 45921.95393154987, 67265.7709270087,
  33430.57558358813, 2509.0809287301227,
]
const NORMAL_B = [
  1, 42.31333070160091, 687.1870074920579, 5394.196021424751, 21213.794301586597, 39307.89580009271, 28729.085735721943,
  5226.495278852854,
]
const NORMAL_C = [
  1.4234371107496835, 4.630337846156546, 5.769497221460691, 3.6478483247632045, 1.2704582524523684, 0.2417807251774506,
  0.022723844989269184, 0.0007745450142783414,
]
const NORMAL_D = [
  1, 2.053191626637759, 1.6763848301838038, 0.6897673349851, 0.14810397642748008, 0.015198666563616457,
  0.0005475938084995345, 1.0507500716444169e-9,
]
const NORMAL_E = [
  6.657904643501103, 5.463784911164114, 1.7848265399172913, 0.29656057182850487, 0.026532189526576124,
  0.0012426609473880784, 2.7115555687434876e-5, 2.0103343992922881e-7,
]
const NORMAL_F = [
  1, 0.599832206555888, 0.1369298809227358, 0.014875361290850615, 0.0007868691311456133, 1.8463183175100548e-5,
  1.421511758316446e-7, 2.0442631033899397e-15,
]

/** Inverse of {@link erf}: the normal quantile at (1 + x) / 2, divided by sqrt 2. */
export function erfInv(x: number): number {
  const q = x / 2
  if (Math.abs(q) <= 0.425) {
    const r = 0.180625 - q * q
    return (q * polynomial(NORMAL_A, r)) / polynomial(NORMAL_B, r) / Math.SQRT2
  }
  if (!(Math.abs(x) < 1)) return x === 1 ? Infinity : x === -1 ? -Infinity : NaN
  const r = Math.sqrt(-Math.log((1 - Math.abs(x)) / 2))
  const value =
    r <= 5
      ? polynomial(NORMAL_C, r - 1.6) / polynomial(NORMAL_D, r - 1.6)
      : polynomial(NORMAL_E, r - 5) / polynomial(NORMAL_F, r - 5)
  return (x < 0 ? -value : value) / Math.SQRT2
}

const EULER = 0.5772156649015329

/** zeta(k) - 1 for k = 2, 3, ... (Abramowitz and Stegun, table 23.3). */
const ZETA_MINUS_ONE = [
  0.6449340668482264, 0.2020569031595943, 0.08232323371113819, 0.03692775514336993, 0.01734306198444914,
  0.008349277381922827, 0.00407735619794434, 0.0020083928260822143, 0.0009945751278180853, 0.0004941886041194645,
  0.0002460865533080483, 0.00012271334757848915, 6.124813505870483e-5, 3.058823630702049e-5, 1.528225940865187e-5,
  7.637197637899763e-6, 3.81729326499984e-6, 1.908212716553939e-6, 9.539620338727962e-7, 4.769329867878064e-7,
  2.38450502727733e-7, 1.1921992596531106e-7, 5.960818905125948e-8, 2.980350351465228e-8, 1.4901554828365043e-8,
  7.45071178983543e-9, 3.725334024788457e-9, 1.862659723513049e-9, 9.313274324196682e-10,
]

/** B(2k) / (2k (2k - 1)) of Stirling's series and B(2k) / 2k of digamma's (Abramowitz and Stegun 6.1.40, 6.3.18). */
const STIRLING = [1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156, -3617 / 122400]
const PSI_SERIES = [1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760, 1 / 12, -3617 / 8160]

/** lgamma(2 + z) for |z| <= 1/2: z (1 - gamma) + sum (-1)^k (zeta(k) - 1) z^k / k (A&S 6.1.33). */
function lgammaNearTwo(z: number): number {
  let sum = 0
  for (let i = ZETA_MINUS_ONE.length - 1; i >= 0; i--) {
    const k = i + 2
    sum = ((k % 2 === 0 ? 1 : -1) * ZETA_MINUS_ONE[i]) / k + z * sum
  }
  return z * (1 - EULER + z * sum)
}

function lgammaPositive(x: number): number {
  if (x >= 10) {
    const z = 1 / (x * x)
    return (x - 0.5) * (Math.log(x) - 1) - 0.5 + 0.5 * Math.log(2 * Math.PI) + polynomial(STIRLING, z) / x
  }
  if (x < 0.5) return lgammaPositive(x + 1) - Math.log(x)
  if (x < 1.5) return lgammaNearTwo(x - 1) - Math.log1p(x - 1)
  let product = 1
  let y = x
  while (y > 2.5) product *= --y
  return lgammaNearTwo(y - 2) + Math.log(product)
}

/** sin(pi x) and cos(pi x) with the integer part taken off exactly. */
function piFraction(x: number): number {
  return x - Math.round(x)
}

/** log |gamma(x)|. */
export function lgamma(x: number): number {
  if (Number.isNaN(x)) return x
  if (x === Infinity || x === -Infinity) return Infinity
  if (x > 0) return lgammaPositive(x)
  const fraction = piFraction(x)
  if (fraction === 0) return Infinity
  return Math.log(Math.PI / Math.abs(Math.sin(Math.PI * fraction))) - lgammaPositive(1 - x)
}

/** Derivative of {@link lgamma}: reflection, recurrence up to 10, asymptotic series (A&S 6.3.5-6.3.18). */
export function digamma(x: number): number {
  if (x === 0) return Object.is(x, -0) ? Infinity : -Infinity
  if (x === Infinity) return x
  if (x < 0) {
    const fraction = piFraction(x)
    return fraction === 0 || x === -Infinity ? NaN : digamma(1 - x) - Math.PI / Math.tan(Math.PI * fraction)
  }
  let shift = 0
  let y = x
  for (; y < 10; y++) shift += 1 / y
  const z = 1 / (y * y)
  return Math.log(y) - 0.5 / y - z * polynomial(PSI_SERIES, z) - shift
}
