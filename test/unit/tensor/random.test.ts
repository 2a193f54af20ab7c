import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as k from '../../../src/tensor/index.js'
import { randomBits, threefryBlock, wordPair } from '../../../src/tensor/threefry.js'
import './helpers.js'

const { random } = k

test('Threefry-2x32-20 gives the published answers, on the host and as a graph', async () => {
  // Random123's known answers: counter words, key words, result.
  const known = [
    [0, 0, 0, 0, 0x6b200159, 0x99ba4efe],
    [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x1cb996fc, 0xbb002be7],
    [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xc4923a9c, 0x483df7a0],
  ]
  for (const [high, low, key0, key1, r0, r1] of known) {
    assert.deepEqual(threefryBlock([key0, key1], [high, low]), [r0, r1])
    const words = await randomBits(wordPair(key0, key1), wordPair(low, high), [2]).data()
    assert.deepEqual([...words], [r0, r1])
  }
})

test('element i is word i % 2 of block counter + floor(i / 2), with the carry', async () => {
  const words = [...(await randomBits(wordPair(1, 2), wordPair(0xffffffff, 6), [2, 2]).data())]
  assert.deepEqual(words, [...threefryBlock([1, 2], [6, 0xffffffff]), ...threefryBlock([1, 2], [7, 0])])
})

test('a seed repeats every number, and another seed gives others', async () => {
  const draw = async (value: number): Promise<number[][]> => {
    k.seed(value)
    return Promise.all(
      [random.uniform([3]), random.normal([3]), random.uniform([3])].map(async (x) => [
        ...((await x.data()) as Float32Array),
      ]),
    )
  }
  const first = await draw(42)
  assert.deepEqual(await draw(42), first)
  assert.notDeepEqual(await draw(43), first)
  assert.notDeepEqual(first[0], first[2])
})

test('compiled programs draw new numbers in every run, and a saved state resumes them', async () => {
  k.seed(5)
  const step = k.jit(() => [random.uniform([2]), random.normal([2])])
  const run = async (): Promise<number[]> =>
    (await Promise.all(step().map((x) => x.data()))).flatMap((data) => [...data].map(Number))
  const runs = [await run(), await run()]
  const state = await random.getState()
  assert.deepEqual(state, { seed: [5, 0], runs: 2, draws: 0 })
  const expected = [await run(), [...(await random.uniform([2]).data())]]
  k.seed(99)
  random.setState(JSON.parse(JSON.stringify(state)))
  assert.deepEqual([await run(), [...(await random.uniform([2]).data())]], expected)
  assert.equal(new Set([...runs.flat(), ...expected[0]]).size, 12)
  assert.equal(step.programs, 1)
})

test('checkpointed functions see the same numbers in the backward pass', async () => {
  const x = k.ones([64])
  const f = k.jit((y: k.Tensor) => {
    const masked = k.checkpoint((z: k.Tensor) => k.square(z.mul(random.bernoulli([64], 0.5, { dtype: 'f32' }))))(y)
    return [masked, k.grad(k.sum(masked), [y])[0]]
  })
  const [value, gradient] = f(x)
  assert.deepEqual(await gradient.data(), await value.mul(2).data())
})

test('drawing inside a loop body is refused, since it would repeat', () => {
  assert.throws(
    () => k.scan((c: k.Tensor, x: k.Tensor) => [c.add(random.uniform([])), x], k.zeros([]), k.ones([3])),
    /before the loop/,
  )
})

const mean = async (x: k.Tensor): Promise<number> => x.to('f32').mean().item()

test('distributions have their ranges and moments', async () => {
  k.seed(1)
  const n = 20_000
  const u = random.uniform([n], { low: -1, high: 3 })
  assert.ok((await u.amin().item()) >= -1 && (await u.amax().item()) < 3)
  assert.ok(Math.abs((await mean(u)) - 1) < 0.03)
  const z = random.normal([n], { mean: 2, std: 3 })
  assert.ok(Math.abs((await mean(z)) - 2) < 0.08 && Math.abs((await z.std().item()) - 3) < 0.08)
  const t = random.truncatedNormal([n])
  assert.ok((await t.abs().amax().item()) <= 2 && Math.abs((await t.std().item()) - 0.8796) < 0.02)
  assert.ok(Math.abs((await mean(random.bernoulli([n], 0.3))) - 0.3) < 0.015)
  const i = random.randint([n], -2, 3)
  assert.deepEqual([await i.amin().item(), await i.amax().item()], [-2, 2])
  assert.ok(Math.abs((await mean(random.gumbel([n]))) - 0.5772) < 0.04)
  assert.ok(Math.abs((await mean(random.exponential([n]))) - 1) < 0.03)
  const c = random.categorical(k.tensor([Math.log(0.2), Math.log(0.8)]).expand(n, 2))
  assert.ok(Math.abs((await mean(c)) - 0.8) < 0.02)
  assert.ok((await random.uniform([n], { dtype: 'f16' }).amax().item()) < 1)
  assert.ok((await random.uniform([n], { dtype: 'f64' }).mean().item()) < 0.51)
})

test('permutations hold every index once', async () => {
  const order = [...(await random.permutation(100).data())] as number[]
  assert.deepEqual(
    [...order].sort((a, b) => a - b),
    Array.from({ length: 100 }, (_, i) => i),
  )
  const rows = await random.permutation(k.arange(6).reshape(3, 2)).toArray()
  assert.equal(new Set((rows as number[][]).map((row) => row[0])).size, 3)
})

test('seeds and states that are none are refused', () => {
  assert.throws(() => k.seed(-1), /integer from 0/)
  assert.throws(() => random.setState({ seed: [1, 2], runs: -1, draws: 0 }), /32-bit words/)
})

test('draws that nobody needs count as ever', async () => {
  k.seed(3)
  const drawn = [random.uniform([2]), random.normal([3])]
  const next = await random.uniform([4]).data()
  k.seed(3)
  const blank = random.withoutNumbers(() => [random.uniform([2]), random.normal([3])])
  assert.deepEqual(await random.uniform([4]).data(), next)
  for (const [i, zero] of blank.entries()) {
    assert.deepEqual(zero.shape, drawn[i].shape)
    assert.ok((await zero.data()).every((value) => Number(value) === 0))
  }
})
