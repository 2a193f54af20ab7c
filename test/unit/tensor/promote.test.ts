import assert from 'node:assert/strict'
import { test } from 'node:test'
import { add, type DType, div, mul, promoteTypes, resultType, sub, tensor } from '../../../src/tensor/index.js'
import { assertValues } from './helpers.js'

const of = (dtype: DType) => tensor([1, 2], { dtype })

test('promoteTypes follows the lattice both ways', () => {
  const cases: readonly (readonly [DType, DType, DType])[] = [
    ['bool', 'u8', 'u8'],
    ['u8', 'i8', 'i16'],
    ['u8', 'i32', 'i32'],
    ['u32', 'i32', 'i64'],
    ['u32', 'u8', 'u32'],
    ['i64', 'f16', 'f16'],
    ['i64', 'bf16', 'bf16'],
    ['f16', 'bf16', 'f32'],
    ['bf16', 'f32', 'f32'],
    ['f32', 'f64', 'f64'],
    ['i32', 'bool', 'i32'],
  ]
  for (const [a, b, expected] of cases) {
    assert.equal(promoteTypes(a, b), expected, `${a} with ${b}`)
    assert.equal(promoteTypes(b, a), expected, `${b} with ${a}`)
  }
})

test('JS numbers take the dtype of the tensor beside them', () => {
  assert.equal(resultType(of('f16'), 1.5), 'f16')
  assert.equal(resultType(of('i8'), 300), 'i8')
  assert.equal(resultType(of('i64'), 0.5), 'f32')
  assert.equal(resultType(of('bool'), true), 'bool')
  assert.equal(resultType(of('bool'), 2), 'i32')
  assert.equal(resultType(of('f64'), [0.1, 0.2]), 'f64')
  assert.equal(resultType(1, 2), 'f32')
})

test('arithmetic in mixed dtypes', async () => {
  await assertValues(add(tensor([250, 6], { dtype: 'u8' }), 10), [4, 16])
  await assertValues(mul(tensor([true, false]), tensor([true, true])), [true, false])
  await assertValues(div(tensor([7, -7], { dtype: 'i32' }), 2), [3.5, -3.5])
  await assertValues(sub(10, tensor([1, 2], { dtype: 'i64' })), [9, 8])
  const precise = await add(tensor([0], { dtype: 'f64' }), [0.1]).data()
  assert.equal(precise[0], 0.1)
})
