import { test } from 'node:test'
import {
  apply,
  broadcastInDim,
  type CompareDirection,
  DTYPES,
  type DType,
  dtypeBytes,
  dtypeKind,
  OPS,
  type OpName,
  parameter,
  splat,
  type Value,
} from '../../src/ir/index.js'
import { checkOn, native } from './agree.js'

const FLOATS: DType[] = ['f32', 'f64', 'f16', 'bf16']
const INTS: DType[] = ['i8', 'i16', 'u8', 'i32', 'u32', 'i64']
const SHAPES = [[0], [], [1], [7], [33], [3, 5], [1037]]

const unaryOps = (Object.keys(OPS) as OpName[]).filter((op) => OPS[op].class === 'unary')
const binaryOps = (Object.keys(OPS) as OpName[]).filter((op) => OPS[op].class === 'binary')

/** Applies an op if its rule takes the dtype. */
function tryApply(op: OpName, inputs: Value[]): Value | null {
  try {
    return apply(op as 'negate', inputs, {})
  } catch {
    return null
  }
}

for (const op of unaryOps) {
  test(`native ${op}: every dtype and odd shapes`, native, () => {
    for (const dtype of DTYPES) {
      for (const shape of SHAPES) {
        const x = parameter(shape, dtype)
        const y = tryApply(op, [x])
        if (y)
          checkOn([x], [y], { scale: op === 'digamma' || op === 'lgamma' ? 20 : 1, what: `${op} ${dtype}[${shape}]` })
      }
    }
  })
}

test('native exponentials: overflow, underflow and the ends of the polynomials', native, () => {
  for (const op of ['exponential', 'exponential_minus_one', 'tanh', 'erf'] as const) {
    for (const high of [0.04, 1, 12, 90, 4000]) {
      const x = parameter([4099], 'f32')
      // Denormal results are 0 in native code.
      checkOn([x], [apply(op, [x], {})], { low: -high, high, floor: 1e-31, what: `${op} up to ${high}` })
    }
  }
})

for (const op of binaryOps) {
  test(`native ${op}: every dtype and odd shapes`, native, () => {
    for (const dtype of DTYPES) {
      for (const shape of SHAPES) {
        const a = parameter(shape, dtype)
        const b = parameter(shape, dtype)
        const y = tryApply(op, [a, b])
        for (const seed of [1, 2, 5])
          if (y)
            checkOn([a, b], [y], { seed, scale: op === 'power' ? 4 : 1, what: `${op} ${dtype}[${shape}] seed ${seed}` })
      }
    }
  })
}

test('native compare and select', native, () => {
  for (const dtype of DTYPES) {
    for (const direction of ['EQ', 'NE', 'LT', 'LE', 'GT', 'GE'] as CompareDirection[]) {
      const a = parameter([41], dtype)
      const b = parameter([41], dtype)
      const p = apply('compare', [a, b], { direction })
      checkOn([a, b], [p, apply('select', [p, b, a], {})], { what: `${direction} ${dtype}` })
    }
  }
})

test('native convert between all dtypes', native, () => {
  for (const from of DTYPES) {
    for (const to of DTYPES) {
      const x = parameter([67], from)
      checkOn([x], [apply('convert', [x], { dtype: to })], { low: -300, high: 70000, what: `${from} to ${to}` })
    }
  }
})

test('native bitcast between dtypes of one size', native, () => {
  for (const from of DTYPES) {
    for (const to of DTYPES) {
      if (dtypeBytes(from) !== dtypeBytes(to)) continue
      const x = parameter([35], from)
      // NaN payloads may differ on the way through a float.
      checkOn([x], [apply('bitcast_convert', [x], { dtype: to })], { edges: false, what: `${from} as ${to}` })
    }
  }
})

test('native clusters: long chains, several results, mixed dtypes', native, () => {
  const x = parameter([13, 29], 'f32')
  const y = parameter([13, 29], 'f32')
  let t: Value = x
  const results: Value[] = []
  for (let i = 0; i < 120; i++) {
    t = apply(i % 3 === 0 ? 'add' : i % 3 === 1 ? 'maximum' : 'subtract', [t, i % 2 ? y : x], {})
    if (i % 20 === 0) results.push(t)
  }
  const wide = apply('convert', [t], { dtype: 'f64' })
  const back = apply('convert', [apply('multiply', [wide, wide], {})], { dtype: 'bf16' })
  const count = apply('convert', [apply('compare', [x, y], { direction: 'LT' })], { dtype: 'i64' })
  checkOn([x, y], [...results, back, apply('add', [count, count], {})], { edges: false })
})

for (const dtype of [...FLOATS, ...INTS, 'bool'] as DType[]) {
  test(`native clusters read views in place: ${dtype}`, native, () => {
    const op = dtypeKind(dtype) === 'bool' ? 'xor' : 'subtract'
    for (const [rows, columns] of [
      [3, 5],
      [70, 9],
      [5, 700],
      [65, 130],
    ]) {
      const shape = [rows, columns]
      const x = parameter(shape, dtype)
      const t = parameter([columns, rows], dtype)
      const row = parameter([columns], dtype)
      const column = parameter([rows], dtype)
      const big = parameter([rows + 2, columns * 2], dtype)
      const views = [
        apply('transpose', [t], { permutation: [1, 0] }),
        broadcastInDim(row, shape, [1]),
        broadcastInDim(column, shape, [0]),
        apply('slice', [big], { start: [1, 1], limit: [rows + 1, columns * 2], strides: [1, 2] }),
        apply('reverse', [x], { dimensions: [0, 1] }),
        splat(1, shape, dtype),
      ]
      const results = views.map((view) => apply(op, [view, x], {}))
      let all: Value = x
      for (const view of views) all = apply(op, [all, view], {})
      checkOn([x, t, row, column, big], [...results, all], {
        edges: false,
        low: -2,
        high: 3,
        what: `${dtype}[${shape}]`,
      })
    }
  })
}
