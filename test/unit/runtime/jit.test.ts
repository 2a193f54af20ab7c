import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { createInterpreterBackend } from '../../../src/backends/interpreter/index.js'
import { BufferError, Flag, setBackend, TracedReadError } from '../../../src/runtime/index.js'
import {
  add,
  gradientSteps,
  gradients,
  jit,
  mean,
  mul,
  Parameter,
  type Steps,
  square,
  sub,
  sum,
  type Tensor,
  tensor,
} from '../../../src/tensor/index.js'

before(() => {
  setBackend(createInterpreterBackend())
})

describe('jit', () => {
  it('compiles once for equal shapes and dtypes, again for others', async () => {
    let traced = 0
    const double = jit((x: Tensor) => {
      traced++
      return mul(x, 2)
    })
    assert.deepEqual(await double(tensor([1, 2])).toArray(), [2, 4])
    assert.deepEqual(await double(tensor([3, 4])).toArray(), [6, 8])
    assert.equal(traced, 1)
    assert.deepEqual(await double(tensor([1, 2, 3])).toArray(), [2, 4, 6])
    assert.deepEqual(await double(tensor([1n, 2n])).toArray(), [2, 4])
    assert.equal(double.programs, 3)
  })

  it('treats numbers as static and trees as arguments', async () => {
    const f = jit((args: { x: Tensor; list: Tensor[] }, factor: number) => ({
      out: mul(add(args.x, args.list[0]), factor),
      factor,
    }))
    const { out, factor } = f({ x: tensor([1]), list: [tensor([2])] }, 10)
    assert.deepEqual(await out.toArray(), [30])
    assert.equal(factor, 10)
    assert.deepEqual(await f({ x: tensor([1]), list: [tensor([2])] }, 3).out.toArray(), [9])
    assert.equal(f.programs, 2)
  })

  it('reads tensors from outside at trace time as hidden inputs', async () => {
    const offset = mul(tensor([10]), 1)
    const f = jit((x: Tensor) => add(x, offset))
    assert.deepEqual(await f(tensor([1])).toArray(), [11])
    assert.deepEqual(await f(tensor([2])).toArray(), [12])
  })

  it('reads and writes state, resolved at each call', async () => {
    const count = new Parameter(tensor([0]))
    const f = jit((x: Tensor) => {
      count.value = add(count.value, 1)
      return add(x, count.value)
    })
    assert.deepEqual(await f(tensor([10])).toArray(), [11])
    assert.deepEqual(await f(tensor([10])).toArray(), [12])
    count.value = tensor([100])
    assert.deepEqual(await f(tensor([10])).toArray(), [111])
    assert.deepEqual(await count.value.toArray(), [101])
    assert.equal(f.programs, 1)
  })

  it('invalidates a handle to state that was updated in place', async () => {
    const state = new Parameter(tensor([1]))
    const old = state.value
    jit(() => {
      state.value = add(state.value, 1)
    })()
    await assert.rejects(() => old.data(), BufferError)
    assert.deepEqual(await state.value.toArray(), [2])
  })

  it('keeps an argument intact when it is the state itself', async () => {
    const state = new Parameter(tensor([1]))
    const f = jit((x: Tensor) => {
      state.value = add(state.value, 1)
      return x
    })
    const held = state.value
    assert.deepEqual(await f(held).toArray(), [1])
    assert.deepEqual(await held.toArray(), [1])
    assert.deepEqual(await state.value.toArray(), [2])
  })

  it('keeps one program for each combination of flags', async () => {
    const weight = new Parameter(tensor([1]))
    const f = jit((x: Tensor) => (weight.trainable ? mul(x, 2) : x))
    assert.deepEqual(await f(tensor([3])).toArray(), [6])
    weight.trainable = false
    assert.deepEqual(await f(tensor([3])).toArray(), [3])
    weight.trainable = true
    assert.deepEqual(await f(tensor([3])).toArray(), [6])
    assert.equal(f.programs, 2)
  })

  it('refuses async functions and ever new static arguments', () => {
    assert.throws(() => jit(async (x: Tensor) => x)(tensor([1])), /must not be async/)
    const f = jit((x: Tensor, n: number) => mul(x, n), { name: 'scaled', cacheSize: 3 })
    for (let n = 0; n < 3; n++) f(tensor([1]), n)
    assert.throws(() => f(tensor([1]), 99), /scaled was compiled for 3 different/)
  })

  it('prints its program', () => {
    const f = jit((x: Tensor) => add(x, x))
    assert.match(f.print(tensor([1, 2])), /%1 = add\(%0, %0\) : f32\[2\]/)
  })
})

describe('reading while tracing', () => {
  it('rejects and names the function', async () => {
    let reading: Promise<number> | undefined
    const f = jit(
      (x: Tensor) => {
        reading = sum(x).item()
        reading.catch(() => {})
        return x
      },
      { name: 'loss' },
    )
    f(tensor([1]))
    await assert.rejects(
      () => reading as Promise<number>,
      (error: Error) => error instanceof TracedReadError && /tracing loss/.test(error.message),
    )
  })
})

describe('lazy evaluation', () => {
  it('computes pending state together with what is read', async () => {
    const weight = new Parameter(tensor([1, 2]))
    const x = tensor([3, 4])
    for (let i = 0; i < 3; i++) {
      const loss = mean(square(sub(mul(x, weight), tensor([6, 12]))))
      const [gradient] = gradients(loss, [weight])
      weight.value = sub(weight.value, mul(gradient, 0.01))
      await loss.item()
    }
    const [a, b] = (await weight.value.toArray()) as number[]
    assert.ok(a > 1 && a < 2 && b > 2 && b < 3)
  })

  it('says so when gradients are asked for after a read', async () => {
    const weight = new Parameter(tensor([1, 2]))
    const loss = sum(mul(weight, weight))
    await loss.item()
    assert.throws(() => gradients(loss, [weight]), /valueAndGrad/)
  })

  it('flushes a chain that is never read', async () => {
    let total: Tensor = tensor(0)
    for (let i = 0; i < 50_000; i++) total = add(total, 1)
    assert.equal(await total.item(), 50_000)
  })

  it('reports reading a disposed tensor', async () => {
    const x = tensor([1, 2])
    x.dispose()
    await assert.rejects(() => x.data(), /was disposed/)
  })

  describe('inSlices', () => {
    /** A step with enough nodes for several slices; pauses for `between` after its forward part. */
    function trainStep(mode: Flag<number>, weight: Parameter) {
      return jit(function* (x: Tensor): Steps<Tensor> {
        let value = mul(x, weight.value)
        for (let i = 0; i < 400; i++) value = add(mul(value, 0.5), i)
        const loss = mean(mul(value, mode.get()))
        yield
        const [grad] = yield* gradientSteps(loss, [weight])
        weight.value = sub(weight.value, mul(grad, mode.get()))
        return loss
      })
    }

    it('gives what the call gives, and lets the event loop run in between', async () => {
      const [slicedWeight, plainWeight] = [1, 1].map((value) => new Parameter(tensor([value])))
      const sliced = trainStep(new Flag<number>(1), slicedWeight)
      let turns = 0
      let running = true
      const tick = (): void => {
        turns++
        if (running) setImmediate(tick)
      }
      setImmediate(tick)
      const pending = sliced.inSlices(tensor([1, 2]))
      assert.ok(pending instanceof Promise)
      const loss = await (await pending).item()
      running = false
      assert.ok(turns > 2, `${turns} turns`)
      assert.equal(loss, await trainStep(new Flag<number>(1), plainWeight)(tensor([1, 2])).item())
      assert.deepEqual(await slicedWeight.value.toArray(), await plainWeight.value.toArray())
      assert.equal(sliced.programs, 1)
      assert.ok(!(sliced.inSlices(tensor([3, 4])) instanceof Promise), 'a known program runs at once')
    })

    it('holds one set of flags through a trace, and takes the one in force when it runs', async () => {
      const mode = new Flag<number>(1)
      const step = trainStep(mode, new Parameter(tensor([1])))
      const pending = step.inSlices(tensor([1, 2]))
      mode.set(3)
      const loss = await (await pending).item()
      const other = trainStep(new Flag<number>(3), new Parameter(tensor([1])))
      assert.equal(loss, await other(tensor([1, 2])).item())
    })

    it('keeps what runs in a pause out of the trace', async () => {
      const outside = new Parameter(tensor([0]))
      const step = trainStep(new Flag<number>(1), new Parameter(tensor([1])))
      const pending = step.inSlices(tensor([1, 2]))
      outside.value = add(outside.value, 5)
      assert.deepEqual(await outside.value.toArray(), [5])
      await (await pending).item()
      assert.deepEqual(await outside.value.toArray(), [5])
    })

    it('rejects with what tracing throws', async () => {
      const failing = jit(function* (x: Tensor): Steps<Tensor> {
        yield
        throw new RangeError(`no step for ${x.shape.join()}`)
      })
      await assert.rejects(async () => failing.inSlices(tensor([1, 2])), /no step for 2/)
    })
  })
})
