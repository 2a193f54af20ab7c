import { getLoss, reduceLoss } from '../../nn/index.js'
import { grad, tensor } from '../../tensor/index.js'
import { type Comparison, compareValues, joinComparisons } from '../compare.js'
import { type GoldenCase, readValues } from '../golden.js'
import { known } from '../unsupported.js'
import { tensorOf, VALUES, valuesOfJson } from './data.js'

export interface LossCase extends GoldenCase {
  /** Keras class. */
  readonly loss: string
  readonly config: Readonly<Record<string, unknown>>
  readonly y_true: unknown
  readonly y_pred: unknown
  readonly value: number
  /** With respect to y_pred. */
  readonly grad: unknown
  readonly sample_weight?: readonly number[]
  readonly value_weighted?: number
}

/** What a Keras configuration leaves out: the delta that the references were made with. */
const UNSAVED: Readonly<Record<string, object>> = { Huber: { delta: 0.5 } }

/**
 * Keras masks sample weights in place, so a file shows for every case the weights that the first masked case left behind. Those of the
 * cases up to that one are lost.
 */
function weightsAreKnown(record: LossCase, cases: readonly LossCase[]): boolean {
  const masked = cases.findIndex(({ config }) => (config.ignore_class ?? null) !== null)
  return cases.indexOf(record) > masked
}

const lossOf = (record: LossCase): ReturnType<typeof getLoss> =>
  known(() => getLoss({ class_name: record.loss, config: { ...UNSAVED[record.loss], ...record.config } }))

/** Value, gradient, and value with sample weights. */
export async function compareLoss(record: LossCase, cases: readonly LossCase[]): Promise<Comparison> {
  const loss = lossOf(record)
  const [yTrue, yPred] = [tensorOf(record.y_true), tensorOf(record.y_pred)]
  const losses = loss(yTrue, yPred)
  const value = reduceLoss(losses)
  const tensors = [value, grad(value, yPred)]
  if (record.sample_weight && weightsAreKnown(record, cases))
    tensors.push(reduceLoss(losses, tensor(record.sample_weight)))
  const [gotValue, gotGrad, gotWeighted] = await readValues(tensors)
  const comparisons = [
    compareValues(gotValue, valuesOfJson(record.value), VALUES, 'value'),
    compareValues(gotGrad, valuesOfJson(record.grad, yPred.shape), VALUES, 'grad'),
  ]
  if (gotWeighted)
    comparisons.push(compareValues(gotWeighted, valuesOfJson(record.value_weighted), VALUES, 'value_weighted'))
  return joinComparisons(comparisons)
}
