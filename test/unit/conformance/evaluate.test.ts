import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { evaluatePython } from '../../../src/conformance/ops/evaluate.js'
import { torchHost } from '../../../src/conformance/ops/host.js'
import { Signature } from '../../../src/conformance/ops/signature.js'
import { fromJson, type PyValue } from '../../../src/conformance/ops/values.js'
import { parsePython } from '../../../src/conformance/python/parser.js'
import '../../../src/node.js'
import { setBackend } from '../../../src/runtime/index.js'
import { Tensor, tensor } from '../../../src/tensor/index.js'

setBackend('interpreter')

const x = tensor([
  [1, 2, 3],
  [4, 5, 6],
])
const evaluate = (source: string, names: Record<string, PyValue> = {}): Promise<PyValue> =>
  evaluatePython(parsePython(source), new Map(Object.entries({ x, ...names })), torchHost)

async function array(source: string, names: Record<string, PyValue> = {}): Promise<unknown> {
  const value = await evaluate(source, names)
  assert.ok(value instanceof Tensor, source)
  return value.toArray()
}

describe('evaluatePython', () => {
  test('Python arithmetic on numbers', async () => {
    assert.equal(await evaluate('-2 ** 2 + 7 // -2 + -7 % 3'), -4 - 4 + 2)
    assert.deepEqual(await evaluate('(1, 2) + (3,) * 2'), [1, 2, 3, 3])
    assert.equal(await evaluate('not (1 < 2 and 0)'), true)
  })

  test('indexing', async () => {
    assert.deepEqual(await array('x[-1, ::2]'), [4, 6])
    assert.deepEqual(await array('x[:, [2, 0]]'), [
      [3, 1],
      [6, 4],
    ])
    assert.deepEqual(await array('x[..., None][0]'), [[1], [2], [3]])
    assert.deepEqual(await array('x[x > 4]'), [5, 6])
  })

  test('calls with keywords, unpacking and named results', async () => {
    const a = fromJson({ dim: 1, keepdim: true })
    assert.deepEqual(await array('torch.sum(x, **a)', { a }), [[6], [15]])
    assert.deepEqual(await array("torch.sum(x, **{k: a[k] for k in ('dim',)})", { a }), [6, 15])
    assert.deepEqual(await array('torch.topk(x, 1, -1).values[..., 0]'), [3, 6])
    assert.deepEqual(await array('torch.cat((*x.unbind(0), x[0]))'), [1, 2, 3, 4, 5, 6, 1, 2, 3])
  })

  test('methods are functions with the tensor in front', async () => {
    assert.deepEqual(await array('x.flip(-1).transpose(0, 1)'), [
      [3, 6],
      [2, 5],
      [1, 4],
    ])
    assert.deepEqual(await evaluate('x.shape'), [2, 3])
  })

  test('what is missing is named', async () => {
    await assert.rejects(evaluate('F.nonsense(x)'), { name: 'UnsupportedError', what: 'F.nonsense' })
    await assert.rejects(evaluate('x.nonsense()'), { name: 'UnsupportedError', what: 'Tensor.nonsense' })
  })
})

describe('Signature', () => {
  const signature = Signature.parse('f(a, b=2, *rest, c=3)', () => null)
  const bind = (positional: PyValue[], keywords: Record<string, PyValue> = {}): (PyValue | undefined)[] => {
    const args = signature.bind({ positional, keywords: new Map(Object.entries(keywords)) })
    return ['a', 'b', 'rest', 'c'].map((name) => args.raw(name))
  }

  test('binds as Python does', () => {
    assert.deepEqual(bind([1]), [1, 2, [], 3])
    assert.deepEqual(bind([1, 5, 6, 7], { c: 8 }), [1, 5, [6, 7], 8])
    assert.deepEqual(bind([], { a: 1 }), [1, 2, [], 3])
  })

  test('refuses what does not fit', () => {
    assert.throws(() => bind([]), /f needs 'a'/)
    assert.throws(() => bind([1], { a: 2 }), /f got 'a' twice/)
    assert.throws(() => bind([1], { z: 2 }), /f has no parameter 'z'/)
    const strict = Signature.parse('g(a)', () => null)
    assert.throws(() => strict.bind({ positional: [1, 2], keywords: new Map() }), /g takes 1 arguments, got 2/)
  })
})
