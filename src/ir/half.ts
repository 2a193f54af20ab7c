/** Conversions between f32 and the bits of f16 (IEEE 754 binary16) and bf16, round to nearest even. */

const scratchF32 = new Float32Array(1)
const scratchU32 = new Uint32Array(scratchF32.buffer)

const bitsOf = (value: number): number => {
  scratchF32[0] = value
  return scratchU32[0]
}

const floatOf = (bits: number): number => {
  scratchU32[0] = bits
  return scratchF32[0]
}

/** Bits of the bf16 nearest to `value` (first rounded to f32). NaN stays a quiet NaN. */
export function toBf16(value: number): number {
  const bits = bitsOf(value)
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >>> 16) | 0x40
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff
}

export const fromBf16 = (bits: number): number => floatOf(bits << 16)

/** Bits of the f16 nearest to `value` (first rounded to f32); overflow gives infinity, small values become subnormal. */
export function toF16(value: number): number {
  const bits = bitsOf(value)
  const sign = (bits >>> 16) & 0x8000
  const magnitude = bits & 0x7fffffff
  if (magnitude > 0x7f800000) return sign | 0x7e00
  if (magnitude >= 0x47800000) return sign | 0x7c00
  if (magnitude >= 0x38800000) {
    const rounded = magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)
    return sign | (rounded >>> 13)
  }
  if (magnitude < 0x33000000) return sign
  // Adding 2^-1 aligns the subnormal's last bit with f32's, so f32 addition does the rounding; 0.5's bits are taken off again.
  return sign | (bitsOf(floatOf(magnitude) + 0.5) - 0x3f000000)
}

export function fromF16(bits: number): number {
  const sign = (bits & 0x8000) << 16
  const exponent = (bits >>> 10) & 0x1f
  const mantissa = bits & 0x3ff
  if (exponent === 0x1f) return floatOf(sign | 0x7f800000 | (mantissa << 13))
  if (exponent !== 0) return floatOf(sign | ((exponent + 112) << 23) | (mantissa << 13))
  const value = mantissa * 2 ** -24
  return sign ? -value : value
}
