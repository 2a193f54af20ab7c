import { narrow, type Tensor } from '../../tensor/index.js'
import { type Metric, makeMetric } from '../../train/index.js'
import { type Comparison, compareValues } from '../compare.js'
import { type GoldenCase, readValues } from '../golden.js'
import { known } from '../unsupported.js'
import { reshaped, tensorOf, VALUES, valuesOfJson } from './data.js'

export interface MetricCase extends GoldenCase {
  /** Keras class. */
  readonly metric: string
  readonly config: Readonly<Record<string, unknown>>
  readonly y_true: unknown
  readonly y_pred: unknown
  /** Rows from and to of each update. */
  readonly updates: readonly (readonly [from: number, to: number])[]
  readonly result: unknown
}

function metricOf(record: MetricCase, yTrue: Tensor, yPred: Tensor): Metric {
  const like = { class_name: record.metric, config: { ...record.config } }
  return known(() => makeMetric(like, { yTrue: yTrue.shape, yPred: yPred.shape }))
}

/** The statistic after all updates. */
export async function compareMetric(record: MetricCase): Promise<Comparison> {
  const [yTrue, yPred] = [tensorOf(record.y_true), tensorOf(record.y_pred)]
  const metric = metricOf(record, yTrue, yPred)
  for (const [from, to] of record.updates)
    metric.update(narrow(yTrue, 0, from, to - from), narrow(yPred, 0, from, to - from))
  const [got] = await readValues([metric.result()])
  const want = valuesOfJson(record.result, undefined, got.dtype)
  return compareValues(got, reshaped(want, got.shape), VALUES, 'result')
}
