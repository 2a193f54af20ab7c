import { AveragedParameters, clipGradNorm, clipGradValue } from '../../optim/index.js'
import { Parameter, type Tensor, zeros } from '../../tensor/index.js'
import { type Comparison, compareValues, joinComparisons } from '../compare.js'
import { type GoldenCase, type GoldenTensors, readValues } from '../golden.js'
import { fromJson } from '../ops/values.js'
import { UnsupportedError } from '../unsupported.js'

export interface ClipCase extends GoldenCase {
  readonly fn: string
  readonly norm_type?: unknown
  readonly max_norm?: number
  readonly total_norm?: number
  readonly clip_value?: number
}

const TOLERANCE = { atol: 1e-5, rtol: 1e-4 }

type Compare = (record: ClipCase, file: GoldenTensors) => Promise<Comparison>

async function compareClipped(
  record: ClipCase,
  file: GoldenTensors,
  clip: (grads: Tensor[]) => { grads: Tensor[]; totalNorm?: Tensor },
): Promise<Comparison> {
  const names = file.keys('clip/in/').map((key) => key.slice('clip/in/'.length))
  const { grads, totalNorm } = clip(names.map((name) => file.tensor(`clip/in/${name}`)))
  const got = await readValues(totalNorm ? [...grads, totalNorm] : grads)
  const comparisons = names.map((name, i) =>
    compareValues(got[i], file.values(`${record.id}/out/${name}`), TOLERANCE, `out/${name}`),
  )
  if (totalNorm) {
    const want = { dtype: 'f32' as const, shape: [], data: [Number(fromJson(record.total_norm))] }
    comparisons.push(compareValues(got[names.length], want, TOLERANCE, 'total_norm'))
  }
  return joinComparisons(comparisons)
}

/** Decay of `ema_0.9`; the plain mean for `swa_mean`. */
function decayOf(id: string): number | undefined {
  const match = /^ema_(\d*\.?\d+)$/.exec(id)
  return match ? Number(match[1]) : undefined
}

const compareAverage: Compare = async (record, file) => {
  const sequence = file.array('ema/seq')
  const param = new Parameter(zeros(sequence.shape.slice(1)), { name: 'weight' })
  const averaged = new AveragedParameters([param], { decay: decayOf(record.id) })
  const want = file.array(`${record.id}/traj`)
  const comparisons: Comparison[] = []
  for (let t = 0; t < sequence.shape[0]; t++) {
    param.value = file.rowOf(sequence, t)
    averaged.update()
    const [got] = await readValues([averaged.averages[0].value])
    comparisons.push(compareValues(got, file.rowValues(want, t), TOLERANCE, `step ${t}`))
  }
  return joinComparisons(comparisons)
}

const COMPARE: Readonly<Record<string, Compare>> = {
  clip_grad_norm_: (record, file) =>
    compareClipped(record, file, (grads) =>
      clipGradNorm(grads, record.max_norm ?? 0, { normType: Number(fromJson(record.norm_type)) }),
    ),
  clip_grad_value_: (record, file) =>
    compareClipped(record, file, (grads) => ({ grads: clipGradValue(grads, record.clip_value ?? 0) })),
  'swa_utils.AveragedModel': compareAverage,
}

/** Gradient clipping, and running averages of parameters. */
export async function compareClipOrAverage(record: ClipCase, file: GoldenTensors): Promise<Comparison> {
  const compare = COMPARE[record.fn]
  if (!compare) throw new UnsupportedError(record.fn)
  return compare(record, file)
}
