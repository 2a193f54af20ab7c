import * as Fn from '../../../tensor/functional/index.js'
import type { Tensor } from '../../../tensor/index.js'
import { type Args, type BindingTable, bindings } from '../signature.js'
import type { PyValue } from '../values.js'

const affine = (a: Args): { weight: Tensor | null; bias: Tensor | null; eps: number } => ({
  weight: a.maybeTensor('weight') ?? null,
  bias: a.maybeTensor('bias') ?? null,
  eps: a.number('eps'),
})

/** F.batch_norm with the running statistics after it. */
function batchNormStats(a: Args): { output: Tensor; mean: Tensor; variance: Tensor } {
  const [x, mean, variance] = [a.tensor('input'), a.tensor('running_mean'), a.tensor('running_var')]
  if (!a.bool('training')) return { output: Fn.batchNorm(x, mean, variance, affine(a)), mean, variance }
  const batch = Fn.batchNormTrain(x, affine(a))
  const running = Fn.runningStatistics({ mean, variance }, batch, {
    convention: 'torch',
    momentum: a.number('momentum'),
    count: x.size / x.shape[1],
  })
  return { output: batch.output, ...running }
}

const BATCH_NORM = '(input, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5)'

/** Normalization. */
export const NORM: BindingTable = bindings({
  [`F.batch_norm${BATCH_NORM}`]: (a) => batchNormStats(a).output,
  [`batch_norm_stats${BATCH_NORM}`]: (a): PyValue => {
    const { output, mean, variance } = batchNormStats(a)
    return [output, mean, variance]
  },
  'F.layer_norm(input, normalized_shape, weight=None, bias=None, eps=1e-5)': (a) =>
    Fn.layerNorm(a.tensor('input'), a.ints('normalized_shape'), affine(a)),
  'F.rms_norm(input, normalized_shape, weight=None, eps=None)': (a) =>
    Fn.rmsNorm(a.tensor('input'), a.ints('normalized_shape'), {
      weight: a.maybeTensor('weight') ?? null,
      eps: a.maybeNumber('eps') ?? null,
    }),
  'F.group_norm(input, num_groups, weight=None, bias=None, eps=1e-5)': (a) =>
    Fn.groupNorm(a.tensor('input'), a.int('num_groups'), affine(a)),
  'F.instance_norm(input, running_mean=None, running_var=None, weight=None, bias=None, use_input_stats=True, momentum=0.1, eps=1e-5)':
    (a) => Fn.instanceNorm(a.tensor('input'), affine(a)),
  'F.local_response_norm(input, size, alpha=1e-4, beta=0.75, k=1.0)': (a) =>
    Fn.localResponseNorm(a.tensor('input'), a.int('size'), {
      alpha: a.number('alpha'),
      beta: a.number('beta'),
      k: a.number('k'),
    }),
  'torch._weight_norm(v, g, dim=0)': (a) => Fn.weightNorm(a.tensor('v'), a.tensor('g'), a.int('dim')),
})
