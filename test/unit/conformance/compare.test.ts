import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { compareValues, joinComparisons, ulpOf, type Values } from '../../../src/conformance/compare.js'

const f32 = (...data: number[]): Values => ({ dtype: 'f32', shape: [data.length], data })
const CLOSE = { atol: 1e-3, rtol: 1e-2 }

describe('compareValues', () => {
  test('|got - want| <= atol + rtol * |want|', () => {
    assert.equal(compareValues(f32(101), f32(100), CLOSE, 'x').reason, null)
    assert.match(compareValues(f32(101.1), f32(100), CLOSE, 'x').reason ?? '', /^x\[0\] is 101\.1, expected 100$/)
    assert.equal(compareValues(f32(0.001), f32(0), CLOSE, 'x').worst?.ratio, 1)
  })

  test('NaN equals NaN and infinities equal themselves', () => {
    const special = f32(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY)
    assert.equal(compareValues(special, special, CLOSE, 'x').reason, null)
    for (const got of [0, Number.NaN, Number.NEGATIVE_INFINITY])
      assert.notEqual(compareValues(f32(got), f32(Number.POSITIVE_INFINITY), CLOSE, 'x').reason, null)
    assert.notEqual(compareValues(f32(Number.NaN), f32(0), CLOSE, 'x').reason, null)
    assert.notEqual(compareValues(f32(0), f32(Number.NaN), CLOSE, 'x').reason, null)
  })

  test('integers and bools must be equal, whatever the tolerance', () => {
    const i64: Values = { dtype: 'i64', shape: [1], data: [9007199254740993n] }
    assert.equal(
      compareValues({ dtype: 'i32', shape: [1], data: [3] }, { dtype: 'i64', shape: [1], data: [3n] }, CLOSE, 'x')
        .reason,
      null,
    )
    assert.notEqual(
      compareValues({ dtype: 'i32', shape: [1], data: [4] }, { dtype: 'i64', shape: [1], data: [3n] }, CLOSE, 'x')
        .reason,
      null,
    )
    assert.equal(compareValues(i64, i64, CLOSE, 'x').reason, null)
  })

  test('shapes, kinds and float precision must agree', () => {
    assert.match(compareValues(f32(1, 2), f32(1), CLOSE, 'x').reason ?? '', /shape \[2\], expected \[1\]/)
    assert.match(compareValues({ ...f32(1), dtype: 'i32' }, f32(1), CLOSE, 'x').reason ?? '', /dtype i32, expected f32/)
    assert.match(compareValues({ ...f32(1), dtype: 'f64' }, f32(1), CLOSE, 'x').reason ?? '', /dtype f64, expected f32/)
  })

  test('units in the last place follow the dtype', () => {
    assert.equal(ulpOf(1, 'f32'), 2 ** -23)
    assert.equal(ulpOf(1.5, 'bf16'), 2 ** -7)
    assert.equal(ulpOf(-4, 'f16'), 2 ** -8)
    assert.equal(ulpOf(0, 'f32'), 2 ** -149)
    const ulps = { ulps: 2 }
    assert.equal(compareValues(f32(1 + 2 ** -22), f32(1), ulps, 'x').reason, null)
    assert.notEqual(compareValues(f32(1 + 3 * 2 ** -23), f32(1), ulps, 'x').reason, null)
  })

  test('joined comparisons keep the worst difference and the first reason', () => {
    const parts = [compareValues(f32(1), f32(1), CLOSE, 'a'), compareValues(f32(2), f32(1), CLOSE, 'b')]
    const joined = joinComparisons(parts)
    assert.equal(joined.worst?.where, 'b')
    assert.match(joined.reason ?? '', /^b\[0\]/)
  })
})
