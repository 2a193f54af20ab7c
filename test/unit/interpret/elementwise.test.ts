import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DType, OpName } from '../../../src/ir/index.js'
import { assertClose, f32, f64, i32, i64, type Operand, of, run } from './helpers.js'

const unary = (op: OpName, x: Operand) => run(op as 'negate', [x], {})
const binary = (op: OpName, a: Operand, b: Operand) => run(op as 'add', [a, b], {})

const SPECIAL = f64(NaN, Infinity, -Infinity, 0, -0)

/** Results for NaN, inf, -inf, 0, -0. */
const unarySpecials: [OpName, number[]][] = [
  ['negate', [NaN, -Infinity, Infinity, -0, 0]],
  ['abs', [NaN, Infinity, Infinity, 0, 0]],
  ['sign', [NaN, 1, -1, 0, -0]],
  ['floor', [NaN, Infinity, -Infinity, 0, -0]],
  ['ceil', [NaN, Infinity, -Infinity, 0, -0]],
  ['round_nearest_even', [NaN, Infinity, -Infinity, 0, -0]],
  ['exponential', [NaN, Infinity, 0, 1, 1]],
  ['exponential_minus_one', [NaN, Infinity, -1, 0, -0]],
  ['log', [NaN, Infinity, NaN, -Infinity, -Infinity]],
  ['log_plus_one', [NaN, Infinity, NaN, 0, -0]],
  ['sqrt', [NaN, Infinity, NaN, 0, -0]],
  ['rsqrt', [NaN, 0, NaN, Infinity, -Infinity]],
  ['sine', [NaN, NaN, NaN, 0, -0]],
  ['cosine', [NaN, NaN, NaN, 1, 1]],
  ['tangent', [NaN, NaN, NaN, 0, -0]],
  ['tanh', [NaN, 1, -1, 0, -0]],
  ['erf', [NaN, 1, -1, 0, -0]],
  ['erfc', [NaN, 0, 2, 1, 1]],
  ['erf_inv', [NaN, NaN, NaN, 0, -0]],
  ['lgamma', [NaN, Infinity, Infinity, Infinity, Infinity]],
  ['digamma', [NaN, Infinity, NaN, -Infinity, Infinity]],
]

for (const [op, want] of unarySpecials) {
  test(`${op} of NaN, infinities and zeros`, () => {
    assert.deepEqual(unary(op, SPECIAL), want)
  })
}

/** Reference values from a C library and published tables, 16-17 digits. */
const unaryValues: [OpName, number[], number[]][] = [
  ['sign', [-2.5, 3], [-1, 1]],
  ['floor', [-1.5, 1.5], [-2, 1]],
  ['ceil', [-1.5, 1.5], [-1, 2]],
  ['round_nearest_even', [0.5, 1.5, 2.5, -0.5, -1.5, 2.6, 4503599627370495.5], [0, 2, 2, -0, -2, 3, 4503599627370496]],
  ['exponential', [1, -1], [Math.E, 0.36787944117144233]],
  ['exponential_minus_one', [1e-10], [1.00000000005e-10]],
  ['log', [10], [Math.LN10]],
  ['log_plus_one', [1e-10], [9.9999999995e-11]],
  ['sqrt', [2], [Math.SQRT2]],
  ['rsqrt', [4], [0.5]],
  ['sine', [1], [0.8414709848078965]],
  ['cosine', [1], [0.5403023058681398]],
  ['tangent', [1], [1.5574077246549023]],
  ['tanh', [1], [0.7615941559557649]],
  ['erf', [0.25, 0.5, -1, 3], [0.27632639016823696, 0.5204998778130465, -0.8427007929497148, 0.9999779095030014]],
  [
    'erfc',
    [0.25, -1, 2, 5, 10, 26],
    [
      0.723673609831763, 1.8427007929497148, 0.004677734981047266, 1.5374597944280347e-12, 2.088487583762545e-45,
      5.663192408856143e-296,
    ],
  ],
  [
    'erf_inv',
    [0.5, -0.9, 1, -1, 1e-20],
    [0.4769362762044699, -1.1630871536766743, Infinity, -Infinity, 8.86226925452758e-21],
  ],
  [
    'lgamma',
    [0.5, 1, 2, 3, 10, 100, -0.5, -2],
    [0.5723649429247001, 0, 0, Math.LN2, 12.801827480081469, 359.1342053695754, 1.2655121234846454, Infinity],
  ],
  [
    'digamma',
    [1, 0.5, 10, -0.5, -1],
    [-0.5772156649015329, -1.9635100260214235, 2.251752589066721, 0.03648997397857652, NaN],
  ],
]

for (const [op, x, want] of unaryValues) {
  test(`values of ${op}`, () => {
    assertClose(unary(op, f64(...x)), want, op === 'digamma' ? 16 : 4)
  })
}

test('integers: negate, abs, sign and not wrap', () => {
  assert.deepEqual(unary('negate', of('i8', [-128, 5])), [-128, -5])
  assert.deepEqual(unary('negate', of('u8', [1, 0])), [255, 0])
  assert.deepEqual(unary('abs', of('i16', [-32768, -3])), [-32768, 3])
  assert.deepEqual(unary('sign', of('i32', [-7, 0, 9])), [-1, 0, 1])
  assert.deepEqual(unary('abs', i64(-(2n ** 63n), -5n)), [-(2n ** 63n), 5n])
  assert.deepEqual(unary('sign', i64(-7n, 0n, 9n)), [-1n, 0n, 1n])
  assert.deepEqual(unary('not', of('u8', [0, 255, 1])), [255, 0, 254])
  assert.deepEqual(unary('not', of('bool', [0, 1])), [1, 0])
  assert.deepEqual(unary('not', i64(0n)), [-1n])
})

test('f32, f16 and bf16 round each result once', () => {
  assert.deepEqual(binary('add', f32(1, 16777216), f32(2 ** -24, 1)), [1, 16777216])
  assert.deepEqual(binary('add', of('f16', [2048, 65504]), of('f16', [1, 32])), [2048, Infinity])
  assert.deepEqual(binary('multiply', of('bf16', [1.0078125]), of('bf16', [1.0078125])), [1.015625])
  assert.deepEqual(unary('exponential', of('f16', [1])), [2.71875])
})

test('float binary edges', () => {
  assert.deepEqual(binary('divide', f32(1, -1, 0, 6), f32(0, 0, 0, 4)), [Infinity, -Infinity, NaN, 1.5])
  assert.deepEqual(binary('remainder', f32(5.5, -5.5, 5, 1), f32(2, 2, 0, Infinity)), [1.5, -1.5, NaN, 1])
  assert.deepEqual(binary('maximum', f32(NaN, 1, -0, 2), f32(1, NaN, 0, 3)), [NaN, NaN, 0, 3])
  assert.deepEqual(binary('minimum', f32(NaN, 1, 0, 2), f32(1, NaN, -0, 3)), [NaN, NaN, -0, 2])
  assert.deepEqual(binary('power', f64(1, NaN, -1, 0, 2, -8), f64(NaN, 0, Infinity, -1, 10, 1 / 3)), [
    1,
    1,
    1,
    Infinity,
    1024,
    NaN,
  ])
  assert.deepEqual(binary('atan2', f64(0, -0, 1, 0), f64(-1, -1, 0, 0)), [Math.PI, -Math.PI, Math.PI / 2, 0])
  assert.deepEqual(binary('subtract', f32(Infinity, 1), f32(Infinity, 3)), [NaN, -2])
})

test('integer arithmetic wraps; division and remainder by zero and of the least value', () => {
  assert.deepEqual(binary('add', of('i8', [127, -128]), of('i8', [1, -1])), [-128, 127])
  assert.deepEqual(binary('subtract', of('u8', [0]), of('u8', [1])), [255])
  assert.deepEqual(binary('multiply', i32(2147483647, 65537), i32(2147483647, 65537)), [1, 131073])
  assert.deepEqual(binary('multiply', of('u32', [4294967295]), of('u32', [4294967295])), [1])
  assert.deepEqual(binary('divide', i32(7, -7, 5, -2147483648), i32(2, 2, 0, -1)), [3, -3, -1, -2147483648])
  assert.deepEqual(binary('divide', of('u8', [7, 5]), of('u8', [2, 0])), [3, 255])
  assert.deepEqual(
    binary('remainder', i32(7, -7, 5, -2147483648), i32(4, 4, 0, -1)).map((x) => Number(x) + 0),
    [3, -3, 5, 0],
  )
  assert.deepEqual(binary('power', i32(3, -1, 2, 1, 0, 2), i32(4, -3, -1, -9, 0, 31)), [81, -1, 0, 1, 1, -2147483648])
})

test('i64 is exact', () => {
  const big = 2n ** 53n + 1n
  assert.deepEqual(binary('add', i64(big, 2n ** 63n - 1n), i64(1n, 1n)), [big + 1n, -(2n ** 63n)])
  assert.deepEqual(binary('multiply', i64(big), i64(3n)), [big * 3n])
  assert.deepEqual(binary('divide', i64(-7n, 1n, -(2n ** 63n)), i64(2n, 0n, -1n)), [-3n, -1n, -(2n ** 63n)])
  assert.deepEqual(binary('remainder', i64(-7n, 5n), i64(4n, 0n)), [-3n, 5n])
  assert.deepEqual(binary('power', i64(3n, 2n, -1n, 2n), i64(39n, 64n, -3n, -1n)), [4052555153018976267n, 0n, -1n, 0n])
  assert.deepEqual(binary('maximum', i64(big, -1n), i64(big + 1n, -2n)), [big + 1n, -1n])
  assert.deepEqual(binary('minimum', i64(big, -1n), i64(big + 1n, -2n)), [big, -2n])
})

test('bits and shifts, wide and negative amounts included', () => {
  assert.deepEqual(binary('and', of('u8', [0b1100]), of('u8', [0b1010])), [0b1000])
  assert.deepEqual(binary('or', i64(12n), i64(10n)), [14n])
  assert.deepEqual(binary('xor', of('bool', [1, 1]), of('bool', [1, 0])), [0, 1])
  assert.deepEqual(binary('shift_left', i32(1, 1, 1, -1), i32(31, 32, -1, 4)), [-2147483648, 0, 0, -16])
  assert.deepEqual(binary('shift_left', of('i8', [1, 3, 1]), of('i8', [7, 7, 8])), [-128, -128, 0])
  assert.deepEqual(binary('shift_right_logical', of('i8', [-1, -1, -1]), of('i8', [1, 8, -1])), [127, 0, 0])
  assert.deepEqual(binary('shift_right_logical', i32(-1, -1), i32(28, 0)), [15, -1])
  assert.deepEqual(binary('shift_right_logical', of('u32', [4294967295]), of('u32', [31])), [1])
  assert.deepEqual(binary('shift_right_arithmetic', i32(-8, -8, 8, -8), i32(1, 99, 99, -1)), [-4, -1, 0, -1])
  assert.deepEqual(binary('shift_right_arithmetic', of('u8', [128]), of('u8', [7])), [255])
  assert.deepEqual(binary('shift_left', i64(1n, 1n), i64(63n, 64n)), [-(2n ** 63n), 0n])
  assert.deepEqual(binary('shift_right_logical', i64(-1n, -1n), i64(60n, 64n)), [15n, 0n])
  assert.deepEqual(binary('shift_right_arithmetic', i64(-8n, -8n), i64(1n, 70n)), [-4n, -1n])
})

test('compare: NaN, signed zeros, i64 beyond doubles', () => {
  const a = f32(NaN, 0, 1, 2)
  const b = f32(NaN, -0, 2, 1)
  const want = {
    EQ: [0, 1, 0, 0],
    NE: [1, 0, 1, 1],
    LT: [0, 0, 1, 0],
    LE: [0, 1, 1, 0],
    GT: [0, 0, 0, 1],
    GE: [0, 1, 0, 1],
  }
  for (const [direction, result] of Object.entries(want)) {
    assert.deepEqual(run('compare', [a, b], { direction: direction as 'EQ' }), result)
  }
  assert.deepEqual(run('compare', [i64(2n ** 53n + 1n), i64(2n ** 53n)], { direction: 'GT' }), [1])
})

test('select', () => {
  assert.deepEqual(run('select', [of('bool', [1, 0]), f32(1, 2), f32(NaN, 4)], {}), [1, 4])
  assert.deepEqual(run('select', [of('bool', [1, 0]), i64(1n, 2n), i64(3n, 4n)], {}), [1n, 4n])
})

const converted = (x: Operand, dtype: DType) => run('convert', [x], { dtype })

test('convert: float to integer truncates, saturates, NaN gives 0', () => {
  const x = f64(1.9, -1.9, NaN, Infinity, -Infinity, 300, -300)
  assert.deepEqual(converted(x, 'i8'), [1, -1, 0, 127, -128, 127, -128])
  assert.deepEqual(converted(x, 'u8'), [1, 0, 0, 255, 0, 255, 0])
  assert.deepEqual(converted(f64(1e10, -1e10, 2147483646.5), 'i32'), [2147483647, -2147483648, 2147483646])
  assert.deepEqual(converted(f64(1e10, -1, 4294967295), 'u32'), [4294967295, 0, 4294967295])
  assert.deepEqual(converted(f64(1e30, -1e30, NaN, 9007199254740992), 'i64'), [
    2n ** 63n - 1n,
    -(2n ** 63n),
    0n,
    9007199254740992n,
  ])
  assert.deepEqual(converted(f64(0, -0, NaN, 0.1), 'bool'), [0, 0, 1, 1])
})

test('convert: integers wrap, bools count, i64 rounds once', () => {
  assert.deepEqual(converted(i32(300, -1), 'u8'), [44, 255])
  assert.deepEqual(converted(i64(2n ** 32n + 5n, -1n), 'i32'), [5, -1])
  assert.deepEqual(converted(i64(-1n), 'u32'), [4294967295])
  assert.deepEqual(converted(of('u32', [4294967295]), 'i64'), [4294967295n])
  assert.deepEqual(converted(of('bool', [1, 0]), 'f16'), [1, 0])
  assert.deepEqual(converted(i64(0n, 7n), 'bool'), [0, 1])
  // 2^60 + 2^36 + 1 lies just above the middle of two f32: rounding by way of f64 would lose the last bit and go down.
  assert.deepEqual(converted(i64(2n ** 60n + 2n ** 36n + 1n), 'f32'), [2 ** 60 + 2 ** 37])
})

test('convert: narrow floats', () => {
  assert.deepEqual(converted(f64(65520, 65519, 1e-8, NaN), 'f16'), [Infinity, 65504, 0, NaN])
  assert.deepEqual(converted(f32(1.00390625, 3.39e38, 3.4e38), 'bf16'), [1, 3.3895313892515355e38, Infinity])
  assert.deepEqual(converted(of('bf16', [1.5]), 'f64'), [1.5])
})

test('bitcast_convert', () => {
  const cast = (x: Operand, dtype: DType) => run('bitcast_convert', [x], { dtype })
  assert.deepEqual(cast(f32(1, -0), 'u32'), [0x3f800000, 0x80000000])
  assert.deepEqual(cast(i32(0x40490fdb), 'f32'), [Math.fround(Math.PI)])
  assert.deepEqual(cast(of('f16', [1]), 'i16'), [0x3c00])
  assert.deepEqual(cast(of('i16', [0x3f80]), 'bf16'), [1])
  assert.deepEqual(cast(f64(1), 'i64'), [0x3ff0000000000000n])
  assert.deepEqual(cast(of('u8', [0, 7]), 'bool'), [0, 1])
})

test('empty tensors', () => {
  assert.deepEqual(unary('exponential', of('f32', [], [0, 3])), [])
  assert.deepEqual(binary('add', i64(), i64()), [])
})
