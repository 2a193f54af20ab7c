/** Decimal texts of floats, exact and rounded half to even, as Python and C print them. */

interface Digits {
  readonly negative: boolean
  readonly digits: string
  /** Value is 0.digits * 10^exponent. */
  readonly exponent: number
}

const BITS = new DataView(new ArrayBuffer(8))

/** Exact numerator and denominator (a power of two) of |x|. */
function fraction(x: number): [bigint, bigint] {
  BITS.setFloat64(0, Math.abs(x))
  const bits = BITS.getBigUint64(0)
  const exponent = Number(bits >> 52n)
  const mantissa = (bits & ((1n << 52n) - 1n)) | (exponent > 0 ? 1n << 52n : 0n)
  const power = Math.max(exponent, 1) - 1075
  return power >= 0 ? [mantissa << BigInt(power), 1n] : [mantissa, 1n << BigInt(-power)]
}

/** numerator / denominator to the nearest integer, ties to even. */
function roundedQuotient(numerator: bigint, denominator: bigint): bigint {
  const quotient = numerator / denominator
  const twice = (numerator % denominator) * 2n
  if (twice > denominator || (twice === denominator && quotient % 2n === 1n)) return quotient + 1n
  return quotient
}

const power10 = (n: number): bigint => 10n ** BigInt(n)

/** Like C's %.*f for finite x. */
export function fixed(x: number, decimals: number): string {
  const [numerator, denominator] = fraction(x)
  const digits = roundedQuotient(numerator * power10(decimals), denominator)
    .toString()
    .padStart(decimals + 1, '0')
  const sign = x < 0 || Object.is(x, -0) ? '-' : ''
  return decimals === 0 ? sign + digits : `${sign}${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`
}

/** `count` significant digits. */
function significant(x: number, count: number): Digits {
  const negative = x < 0 || Object.is(x, -0)
  if (x === 0) return { negative, digits: '0'.repeat(count), exponent: 1 }
  const [numerator, denominator] = fraction(x)
  let exponent = Math.floor(Math.log10(Math.abs(x))) + 1
  for (;;) {
    const shift = count - exponent
    const scaled =
      shift >= 0
        ? roundedQuotient(numerator * power10(shift), denominator)
        : roundedQuotient(numerator, denominator * power10(-shift))
    const digits = scaled.toString()
    if (digits.length === count) return { negative, digits, exponent }
    // The estimate was off by one, or rounding carried into a new digit.
    exponent += digits.length - count
  }
}

const exponentText = (exponent: number): string =>
  `e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`

/** Like C's %.*e for finite x. */
export function scientific(x: number, decimals: number): string {
  const { negative, digits, exponent } = significant(x, decimals + 1)
  const power = x === 0 ? 0 : exponent - 1
  return `${negative ? '-' : ''}${digits[0]}${decimals > 0 ? `.${digits.slice(1)}` : ''}${exponentText(power)}`
}

/** Like C's %.*g for finite x; `alternate` keeps trailing zeros. */
export function general(x: number, precision: number, alternate = false): string {
  const count = Math.max(precision, 1)
  const { exponent } = significant(x, count)
  const power = x === 0 ? 0 : exponent - 1
  const text = power < -4 || power >= count ? scientific(x, count - 1) : fixed(x, count - 1 - power)
  if (alternate || !text.includes('.')) return text
  const [mantissa, tail] = text.split('e')
  return mantissa.replace(/\.?0+$/, '') + (tail === undefined ? '' : `e${tail}`)
}

/** Python's round(x, decimals) for floats. */
export function roundFloat(x: number, decimals: number): number {
  if (!Number.isFinite(x)) return x
  if (decimals >= 0) return decimals > 323 ? x : Number(fixed(x, decimals))
  const scale = power10(Math.min(-decimals, 400))
  const [numerator, denominator] = fraction(x)
  const rounded = Number(roundedQuotient(numerator, denominator * scale) * scale)
  return x < 0 ? -rounded : rounded
}

/** Python's round(x, decimals) for integers. */
export function roundInteger(x: bigint, decimals: number): bigint {
  if (decimals >= 0) return x
  const scale = power10(Math.min(-decimals, 400))
  const rounded = roundedQuotient(x < 0n ? -x : x, scale) * scale
  return x < 0n ? -rounded : rounded
}

/** Python's repr of a float: the shortest digits that read back as the same number. */
export function floatRepr(x: number): string {
  if (Number.isNaN(x)) return 'nan'
  if (!Number.isFinite(x)) return x > 0 ? 'inf' : '-inf'
  if (x === 0) return Object.is(x, -0) ? '-0.0' : '0.0'
  const [mantissa, exponent] = x.toExponential().split('e')
  const power = Number(exponent)
  if (power < -4 || power >= 16) return mantissa + exponentText(power)
  const digits = mantissa.replace(/[-.]/g, '')
  const sign = x < 0 ? '-' : ''
  if (power < 0) return `${sign}0.${'0'.repeat(-power - 1)}${digits}`
  const whole = digits.slice(0, power + 1).padEnd(power + 1, '0')
  return `${sign}${whole}.${digits.slice(power + 1) || '0'}`
}
