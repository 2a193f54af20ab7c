import { isFloat } from '../../ir/index.js'
import { callContext, type KerasObject, layerFromConfig } from '../../nn/index.js'
import { grad, type Parameter, type Tensor } from '../../tensor/index.js'
import { type Comparison, compareValues, joinComparisons } from '../compare.js'
import { type GoldenCase, type GoldenTensors, readValues } from '../golden.js'
import { contraction } from '../ops/operators.js'
import { known } from '../unsupported.js'
import { VALUES } from './data.js'

export interface LayerCase extends GoldenCase {
  /** Keras class. */
  readonly layer: string
  readonly config: KerasObject['config']
  readonly training: boolean
}

interface Expected {
  readonly where: string
  readonly tensor: Tensor
}

/** What the reference holds, with our tensor for each. */
function expectations(
  record: LayerCase,
  file: GoldenTensors,
  x: Tensor,
  y: Tensor,
  weights: readonly Parameter[],
): Expected[] {
  const own: Expected[] = [{ where: 'y', tensor: y }]
  const prefix = `${record.id}/grad/`
  const wanted = file.keys(prefix).map((key) => key.slice(prefix.length))
  const sources = wanted.map((name) => (name === 'x' ? x : weights[Number(name.slice('w/'.length))]))
  if (wanted.length > 0) {
    const grads = grad(contraction([[y, file.tensor(`${record.id}/cot`)]]), sources) as Tensor[]
    wanted.forEach((name, i) => {
      own.push({ where: `grad/${name}`, tensor: grads[i] })
    })
  }
  for (const key of file.keys(`${record.id}/w_after/`)) {
    const index = Number(key.slice(`${record.id}/w_after/`.length))
    own.push({ where: `w_after/${index}`, tensor: weights[index].value })
  }
  return own
}

/** One layer: its output, gradients under a cotangent, and the state after a training pass. */
export async function compareLayer(record: LayerCase, file: GoldenTensors): Promise<Comparison> {
  const layer = known(() => layerFromConfig({ class_name: record.layer, config: record.config }))
  const x = file.tensor(`${record.id}/x`)
  layer.ensureBuilt(x.shape)
  const weights = layer.weights
  const keys = file.keys(`${record.id}/w/`)
  if (weights.length !== keys.length)
    return { worst: null, reason: `${weights.length} weights, expected ${keys.length}` }
  keys.forEach((key, i) => {
    weights[i].value = file.tensor(key)
  })
  const y = layer.run(x, callContext(record.training))
  if (Array.isArray(y)) return { worst: null, reason: `${y.length} outputs, expected one` }
  const expected = expectations(record, file, x, y, weights)
  const got = await readValues(expected.map(({ tensor }) => tensor))
  return joinComparisons(
    expected.map(({ where }, i) => {
      const want = file.values(`${record.id}/${where}`)
      return compareValues(got[i], want, isFloat(want.dtype) ? VALUES : { atol: 0, rtol: 0 }, where)
    }),
  )
}
