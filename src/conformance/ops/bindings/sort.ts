import * as T from '../../../tensor/index.js'
import { type Args, type BindingTable, bindings } from '../signature.js'
import { NamedTuple } from '../values.js'

const named = ({ values, indices }: { values: T.Tensor; indices: T.Tensor }): NamedTuple =>
  new NamedTuple([values, indices], ['values', 'indices'])

const running =
  (fn: (x: T.Tensor, dim: number) => T.Tensor) =>
  (a: Args): T.Tensor =>
    fn(a.tensor('input'), a.int('dim'))

/** Order, running sums and places of elements. */
export const SORT: BindingTable = bindings({
  'torch.sort(input, dim=-1, descending=False, stable=False)': (a) =>
    named(T.sort(a.tensor('input'), a.int('dim'), { descending: a.bool('descending') })),
  'torch.argsort(input, dim=-1, descending=False, stable=False)': (a) =>
    T.argsort(a.tensor('input'), a.int('dim'), { descending: a.bool('descending') }),
  'torch.topk(input, k, dim=-1, largest=True, sorted=True)': (a) =>
    named(T.topK(a.tensor('input'), a.int('k'), a.int('dim'), { largest: a.bool('largest') })),
  'torch.kthvalue(input, k, dim=-1, keepdim=False)': (a) =>
    named(T.kthvalue(a.tensor('input'), a.int('k'), a.int('dim'), { keepdim: a.bool('keepdim') })),
  'torch.cumsum(input, dim)': running(T.cumsum),
  'torch.cumprod(input, dim)': running(T.cumprod),
  'torch.logcumsumexp(input, dim)': running(T.logcumsumexp),
  'torch.cummax(input, dim)': (a) => named(T.cummax(a.tensor('input'), a.int('dim'))),
  'torch.cummin(input, dim)': (a) => named(T.cummin(a.tensor('input'), a.int('dim'))),
})
