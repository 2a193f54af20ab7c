import * as T from '../../../tensor/index.js'
import { type Args, type BindingTable, bindings } from '../signature.js'

const scattered =
  (fn: (x: T.Tensor, dim: number, index: T.Tensor, src: T.TensorLike) => T.Tensor) =>
  (a: Args): T.Tensor =>
    fn(a.tensor('input'), a.int('dim'), a.tensor('index'), a.operand('src'))

const reduced =
  (fn: typeof T.scatterReduce) =>
  (a: Args): T.Tensor =>
    fn(a.tensor('input'), a.int('dim'), a.tensor('index'), a.tensor('src'), a.string('reduce') as T.ScatterReduction, {
      includeSelf: a.bool('include_self'),
    })

/** Elements by their places. */
export const INDEX: BindingTable = bindings({
  'torch.gather(input, dim, index)': (a) => T.gather(a.tensor('input'), a.int('dim'), a.tensor('index')),
  'torch.take(input, index)': (a) => T.takeFlat(a.tensor('input'), a.tensor('index')),
  'torch.take_along_dim(input, indices, dim=None)': (a) =>
    T.takeAlongDim(a.tensor('input'), a.tensor('indices'), a.maybeInt('dim')),
  'torch.index_select(input, dim, index)': (a) => T.indexSelect(a.tensor('input'), a.int('dim'), a.tensor('index')),
  'F.embedding(input, weight, padding_idx=None)': (a) =>
    T.embedding(a.tensor('input'), a.tensor('weight'), { paddingIdx: a.maybeInt('padding_idx') }),
  'torch.scatter(input, dim, index, src)': scattered(T.scatter),
  'torch.scatter_add(input, dim, index, src)': scattered(T.scatterAdd),
  'torch.scatter_reduce(input, dim, index, src, reduce, include_self=True)': reduced(T.scatterReduce),
  'torch.index_add(input, dim, index, source, alpha=1)': (a) =>
    T.indexAdd(a.tensor('input'), a.int('dim'), a.tensor('index'), a.tensor('source'), { alpha: a.number('alpha') }),
  'torch.index_copy(input, dim, index, source)': (a) =>
    T.indexCopy(a.tensor('input'), a.int('dim'), a.tensor('index'), a.tensor('source')),
  'torch.index_fill(input, dim, index, value)': (a) =>
    T.indexFill(a.tensor('input'), a.int('dim'), a.tensor('index'), a.operand('value')),
  'torch.index_reduce(input, dim, index, src, reduce, include_self=True)': (a) =>
    T.indexReduce(
      a.tensor('input'),
      a.int('dim'),
      a.tensor('index'),
      a.tensor('src'),
      a.string('reduce') as T.ScatterReduction,
      { includeSelf: a.bool('include_self') },
    ),
  'Tensor.index_put(input, indices, values, accumulate=False)': (a) =>
    T.indexPut(a.tensor('input'), a.tensors('indices'), a.tensor('values'), { accumulate: a.bool('accumulate') }),
  'Tensor.masked_scatter(input, mask, source)': (a) =>
    T.maskedScatter(a.tensor('input'), a.tensor('mask'), a.tensor('source')),
  'torch.masked_select(input, mask)': (a) => T.maskedSelect(a.tensor('input'), a.tensor('mask')),
  'torch.nonzero(input)': (a) => T.nonzero(a.tensor('input')),
  'torch.argwhere(input)': (a) => T.nonzero(a.tensor('input')),
  'torch.unique(input, sorted=True, return_inverse=False, return_counts=False)': async (a) => {
    const { values, inverse, counts } = await T.unique(a.tensor('input'))
    const extras = [...(a.bool('return_inverse') ? [inverse] : []), ...(a.bool('return_counts') ? [counts] : [])]
    return extras.length > 0 ? [values, ...extras] : values
  },
  'F.embedding_bag(input, weight, offsets=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False, mode="mean", sparse=False, per_sample_weights=None, include_last_offset=False, padding_idx=None)':
    (a) =>
      T.embeddingBag(a.tensor('input'), a.tensor('weight'), {
        mode: a.string('mode') as T.EmbeddingBagOptions['mode'],
        offsets: a.maybeTensor('offsets') ?? undefined,
        perSampleWeights: a.maybeTensor('per_sample_weights') ?? null,
        paddingIdx: a.maybeInt('padding_idx') ?? null,
      }),
  'torch.bincount(input, weights=None, minlength=0)': (a) =>
    T.bincount(a.tensor('input'), { weights: a.maybeTensor('weights'), minLength: a.int('minlength') }),
  'torch.histc(input, bins=100, min=0, max=0)': (a) =>
    T.histc(a.tensor('input'), { bins: a.int('bins'), min: a.number('min'), max: a.number('max') }),
  'torch.searchsorted(sorted_sequence, input, right=False)': (a) =>
    T.searchsorted(a.tensor('sorted_sequence'), a.operand('input'), { right: a.bool('right') }),
  'torch.bucketize(input, boundaries, right=False)': (a) =>
    T.bucketize(a.tensor('input'), a.tensor('boundaries'), { right: a.bool('right') }),
  'F.one_hot(input, num_classes=-1)': async (a) => {
    const x = a.tensor('input')
    const classes = a.int('num_classes')
    return T.oneHot(x, classes < 0 ? (await T.amax(x).item()) + 1 : classes, { dtype: 'i64' })
  },
})
