import { add, constant, div, mean, mul, square, sub, type Tensor, variance } from '../../tensor/index.js'

// Reference: keras.metrics.correlation_metrics. [..., d] and [..., d] -> [...].

const centred = (x: Tensor): Tensor => sub(x, mean(x, -1, { keepdim: true }))
const spread = (x: Tensor): Tensor => variance(x, -1, { correction: 0, keepdim: true })

/** Pearson's correlation along the last dimension. */
export function pearsonCorrelation(yTrue: Tensor, yPred: Tensor): Tensor {
  const [y, p] = [yTrue.to(yPred.dtype), yPred].map(centred)
  return mean(mul(div(y, spread(y).sqrt()), div(p, spread(p).sqrt())), -1)
}

/** Lin's concordance correlation along the last dimension. */
export function concordanceCorrelation(yTrue: Tensor, yPred: Tensor): Tensor {
  const y = yTrue.to(yPred.dtype)
  const means = [y, yPred].map((x) => mean(x, -1, { keepdim: true }))
  const covariance = mul(sub(y, means[1]), sub(yPred, means[1]))
  const total = add(add(spread(y), spread(yPred)), square(sub(means[0], means[1])))
  return mean(div(mul(covariance, 2), add(total, constant(1e-7, total.dtype))), -1)
}
