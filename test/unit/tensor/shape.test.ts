import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as k from '../../../src/tensor/index.js'
import { assertValues } from './helpers.js'

const x = () => k.arange(6).reshape(2, 3)

test('reshaping and reordering', async () => {
  assert.deepEqual(x().reshape(3, -1).shape, [3, 2])
  assert.deepEqual(x().reshape([-1]).shape, [6])
  await assertValues(x().t(), [
    [0, 3],
    [1, 4],
    [2, 5],
  ])
  assert.deepEqual(k.zeros([2, 3, 4]).permute(2, 0, 1).shape, [4, 2, 3])
  assert.deepEqual(k.zeros([2, 3, 4]).movedim(0, -1).shape, [3, 4, 2])
  assert.deepEqual(k.zeros([2, 3, 4]).flatten(1).shape, [2, 12])
  assert.deepEqual(k.zeros([2, 12]).unflatten(1, [3, -1]).shape, [2, 3, 4])
  assert.deepEqual(k.zeros([1, 3, 1]).squeeze().shape, [3])
  assert.deepEqual(k.zeros([1, 3, 1]).squeeze(0).shape, [3, 1])
  assert.deepEqual(k.zeros([3]).unsqueeze(-1).shape, [3, 1])
  assert.deepEqual(k.zeros([3, 1]).expand(2, -1, 4).shape, [2, 3, 4])
})

test('joining and splitting', async () => {
  await assertValues(k.cat([k.tensor([1, 2]), k.tensor([3])]), [1, 2, 3])
  await assertValues(k.stack([k.tensor([1, 2]), k.tensor([3, 4])], -1), [
    [1, 3],
    [2, 4],
  ])
  assert.equal(k.cat([k.tensor([1], { dtype: 'i32' }), k.tensor([1.5])]).dtype, 'f32')
  assert.deepEqual(k.cat([k.zeros([0]), k.zeros([2, 3])]).shape, [2, 3])
  const lengths = (parts: readonly k.Tensor[]): number[] => parts.map((part) => part.shape[0])
  const y = k.arange(7)
  assert.deepEqual(lengths(y.split(3)), [3, 3, 1])
  assert.deepEqual(lengths(y.split([1, 4, 2])), [1, 4, 2])
  assert.deepEqual(lengths(y.chunk(3)), [3, 3, 1])
  assert.deepEqual(lengths(y.tensorSplit(3)), [3, 2, 2])
  assert.deepEqual(lengths(y.tensorSplit([2, 5])), [2, 3, 2])
  await assertValues(x().unbind(1)[2], [2, 5])
})

test('repeating, reversing, rolling', async () => {
  await assertValues(k.tensor([1, 2]).repeat(2, 2), [
    [1, 2, 1, 2],
    [1, 2, 1, 2],
  ])
  await assertValues(k.tile(k.tensor([[1, 2]]), 2), [[1, 2, 1, 2]])
  await assertValues(k.repeatInterleave(k.tensor([1, 2]), 2), [1, 1, 2, 2])
  await assertValues(x().flip(1), [
    [2, 1, 0],
    [5, 4, 3],
  ])
  await assertValues(x().roll(1), [
    [5, 0, 1],
    [2, 3, 4],
  ])
  await assertValues(x().roll([1, -1], [0, 1]), [
    [4, 5, 3],
    [1, 2, 0],
  ])
  await assertValues(k.rot90(x()), [
    [2, 5],
    [1, 4],
    [0, 3],
  ])
  await assertValues(k.rot90(x(), -1), [
    [3, 0],
    [4, 1],
    [5, 2],
  ])
  await assertValues(k.diff(k.tensor([1, 4, 9]), { n: 2 }), [2])
  await assertValues(k.gradient(k.tensor([1, 4, 9]))[0], [3, 4, 5])
  await assertValues(k.arange(5).unfold(0, 3, 2), [
    [0, 1, 2],
    [2, 3, 4],
  ])
})

test('padding in every mode, and cropping', async () => {
  const y = k.tensor([1, 2, 3])
  await assertValues(k.pad(y, [1, 2]), [0, 1, 2, 3, 0, 0])
  await assertValues(k.pad(y, [-1, 1], { value: 9 }), [2, 3, 9])
  await assertValues(k.pad(y, [2, 1], { mode: 'reflect' }), [3, 2, 1, 2, 3, 2])
  await assertValues(k.pad(y, [1, 2], { mode: 'replicate' }), [1, 1, 2, 3, 3, 3])
  await assertValues(k.pad(y, [2, 1], { mode: 'circular' }), [2, 3, 1, 2, 3, 1])
  await assertValues(k.pad(k.ones([1, 1]), [0, 0, 1, 0]), [[0], [1]])
  assert.throws(() => k.pad(y, [3, 0], { mode: 'reflect' }), /reflecting 3 elements needs more than 3/)
})

test('channels', async () => {
  const y = k.arange(8).reshape(4, 1, 2)
  await assertValues(k.pixelShuffle(y, 2), [
    [
      [0, 2, 1, 3],
      [4, 6, 5, 7],
    ],
  ])
  assert.deepEqual(await k.pixelUnshuffle(k.pixelShuffle(y, 2), 2).toArray(), await y.toArray())
  await assertValues(k.channelShuffle(k.arange(4).reshape(1, 4), 2), [[0, 2, 1, 3]])
})

test('creation', async () => {
  await assertValues(k.arange(2, 8, 3), [2, 5])
  await assertValues(k.arange(0, 1, 0.25), [0, 0.25, 0.5, 0.75])
  await assertValues(k.arange(3, 0, -1), [3, 2, 1])
  assert.equal(k.arange(3).dtype, 'i32')
  await assertValues(k.linspace(0, 1, 5), [0, 0.25, 0.5, 0.75, 1])
  await assertValues(k.logspace(0, 2, 3), [1, 10, 100])
  await assertValues(k.eye(2, 3), [
    [1, 0, 0],
    [0, 1, 0],
  ])
  await assertValues(k.tril(k.ones([2, 3]), 1), [
    [1, 1, 0],
    [1, 1, 1],
  ])
  await assertValues(k.full([2], true), [true, true])
  const [a, b] = k.meshgrid([k.tensor([1, 2]), k.tensor([3, 4, 5])], { indexing: 'xy' })
  await assertValues(a, [
    [1, 2],
    [1, 2],
    [1, 2],
  ])
  await assertValues(b, [
    [3, 3],
    [4, 4],
    [5, 5],
  ])
  await assertValues(k.diagEmbed(k.tensor([1, 2]), 1), [
    [0, 1, 0],
    [0, 0, 2],
    [0, 0, 0],
  ])
  await assertValues(k.diagonal(k.arange(6).reshape(2, 3), 1), [1, 5])
  await assertValues(k.trace(k.eye(3)), 3)
})

test('shape errors show what came and what would do', () => {
  assert.throws(() => x().reshape(4, -1), /i32\[2, 3\] with 6 elements does not fit \[4, -1\]/)
  assert.throws(() => x().permute(0, 0), /repeat/)
  assert.throws(() => k.cat([k.zeros([2, 3]), k.zeros([3, 2])]), /must agree in every dimension but 0/)
  assert.throws(() => k.stack([k.zeros([2]), k.zeros([3])]), /use cat\(tensors, dim\)/)
  assert.throws(() => k.matmul(k.zeros([2, 3]), k.zeros([4, 3])), /did you mean x\.matmul\(y\.transpose\(-2, -1\)\)/)
  assert.throws(() => x().expand(2, 4), /does not broadcast to \[2, 4\]/)
  assert.throws(() => x().narrow(1, 2, 2), /leave dimension 1 of i32\[2, 3\]/)
})
