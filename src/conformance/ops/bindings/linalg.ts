import * as T from '../../../tensor/index.js'
import { type Args, type BindingTable, bindings } from '../signature.js'
import { isSequence, itemsOf } from '../values.js'

const product =
  (fn: (x: T.Tensor, y: T.Tensor) => T.Tensor) =>
  (a: Args): T.Tensor =>
    fn(a.tensor('input'), a.tensor('other'))

const scales = (a: Args): T.ScaledOptions => ({ beta: a.number('beta'), alpha: a.number('alpha') })

function contractedDims(a: Args): number | [number[], number[]] {
  if (!isSequence(a.raw('dims'))) return a.int('dims')
  const [left, right] = itemsOf(a.raw('dims')).map((list) => itemsOf(list) as number[])
  return [left, right]
}

/** Products of matrices. */
export const LINALG: BindingTable = bindings({
  'torch.matmul(input, other)': product(T.matmul),
  'torch.mm(input, other)': product(T.mm),
  'torch.bmm(input, other)': product(T.bmm),
  'torch.mv(input, other)': product(T.mv),
  'torch.dot(input, other)': product(T.dot),
  'torch.outer(input, other)': product(T.outer),
  'torch.kron(input, other)': product(T.kron),
  'torch.addmm(input, mat1, mat2, beta=1, alpha=1)': (a) =>
    T.addmm(a.tensor('input'), a.tensor('mat1'), a.tensor('mat2'), scales(a)),
  'torch.baddbmm(input, batch1, batch2, beta=1, alpha=1)': (a) =>
    T.baddbmm(a.tensor('input'), a.tensor('batch1'), a.tensor('batch2'), scales(a)),
  'torch.tensordot(a, b, dims=2)': (a) => T.tensordot(a.tensor('a'), a.tensor('b'), contractedDims(a)),
  'F.linear(input, weight, bias=None)': (a) =>
    T.linear(a.tensor('input'), a.tensor('weight'), a.maybeTensor('bias') ?? null),
})
