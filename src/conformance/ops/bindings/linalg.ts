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

const order = (a: Args): number => (a.has('ord') ? a.number('ord') : 2)

/** Products of matrices, norms and distances. */
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
  'torch.einsum(equation, *operands)': (a) => T.einsum(a.string('equation'), ...a.tensors('operands')),
  'torch.trace(input)': (a) => T.trace(a.tensor('input')),
  'torch.linalg.cross(input, other, dim=-1)': (a) => T.cross(a.tensor('input'), a.tensor('other'), a.int('dim')),
  'torch.linalg.vector_norm(x, ord=2, dim=None, keepdim=False)': (a) =>
    T.vectorNorm(a.tensor('x'), order(a), a.maybeInts('dim'), { keepdim: a.bool('keepdim') }),
  'torch.linalg.matrix_norm(x, ord="fro", dim=(-2, -1), keepdim=False)': (a) =>
    T.matrixNorm(a.tensor('x'), a.raw('ord') as T.MatrixOrder, a.ints('dim') as [number, number], {
      keepdim: a.bool('keepdim'),
    }),
  'F.normalize(input, p=2.0, dim=1, eps=1e-12)': (a) =>
    T.normalize(a.tensor('input'), { p: a.number('p'), dim: a.ints('dim'), eps: a.number('eps') }),
  'F.cosine_similarity(x1, x2, dim=1, eps=1e-8)': (a) =>
    T.cosineSimilarity(a.tensor('x1'), a.tensor('x2'), { dim: a.int('dim'), eps: a.number('eps') }),
  'F.pairwise_distance(x1, x2, p=2.0, eps=1e-6, keepdim=False)': (a) =>
    T.pairwiseDistance(a.tensor('x1'), a.tensor('x2'), {
      p: a.number('p'),
      eps: a.number('eps'),
      keepdim: a.bool('keepdim'),
    }),
  'torch.cdist(x1, x2, p=2.0)': (a) => T.cdist(a.tensor('x1'), a.tensor('x2'), a.number('p')),
  'torch.linalg.inv(A)': (a) => T.inv(a.tensor('A')),
  'torch.linalg.det(A)': (a) => T.det(a.tensor('A')),
  'torch.linalg.solve(A, B)': (a) => T.solve(a.tensor('A'), a.tensor('B')),
  'torch.linalg.cholesky(input)': (a) => T.cholesky(a.tensor('input')),
  'torch.linalg.qr(A)': (a) => {
    const { q, r } = T.qr(a.tensor('A'))
    return [q, r]
  },
  'torch.linalg.svdvals(A)': (a) => T.svdvals(a.tensor('A')),
  'torch.linalg.multi_dot(tensors)': (a) => T.multiDot(a.tensors('tensors')),
  'F.bilinear(input1, input2, weight, bias=None)': (a) =>
    T.bilinear(a.tensor('input1'), a.tensor('input2'), a.tensor('weight'), a.maybeTensor('bias') ?? null),
  'F.linear(input, weight, bias=None)': (a) =>
    T.linear(a.tensor('input'), a.tensor('weight'), a.maybeTensor('bias') ?? null),
})
