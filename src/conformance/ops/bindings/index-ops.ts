import * as T from '../../../tensor/index.js'
import { type BindingTable, bindings } from '../signature.js'

/** Elements by their places. */
export const INDEX: BindingTable = bindings({
  'torch.gather(input, dim, index)': (a) => T.gather(a.tensor('input'), a.int('dim'), a.tensor('index')),
  'torch.take(input, index)': (a) => T.takeFlat(a.tensor('input'), a.tensor('index')),
  'torch.take_along_dim(input, indices, dim=None)': (a) =>
    T.takeAlongDim(a.tensor('input'), a.tensor('indices'), a.maybeInt('dim')),
  'torch.index_select(input, dim, index)': (a) => T.indexSelect(a.tensor('input'), a.int('dim'), a.tensor('index')),
  'F.embedding(input, weight, padding_idx=None)': (a) =>
    T.embedding(a.tensor('input'), a.tensor('weight'), { paddingIdx: a.maybeInt('padding_idx') }),
})
