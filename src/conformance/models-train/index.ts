import { readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { type Family, keyOfFile, type ModelInputs, type PreTrainedModel } from '../../models/index.js'
import { clipGradNorm, schedules, torch } from '../../optim/index.js'
import { gradients, jit, type Parameter, sizeOf, type Tensor } from '../../tensor/index.js'
import { type AreaRunner, runCase } from '../area.js'
import { type Comparison, compareValues, joinComparisons, type Values } from '../compare.js'
import { GoldenTensors, readJson, readValues } from '../golden.js'
import { loadReference } from '../models/index.js'
import { inputsOf } from '../models/passes.js'
import type { CaseResult } from '../report.js'
import { UnsupportedError } from '../unsupported.js'

interface TrainGolden {
  readonly name: string
  readonly checkpoint: string
  readonly model_class: string
  readonly mode: string
  readonly optimizer: {
    readonly type: string
    readonly lr: number
    readonly weight_decay: number
    readonly betas: [number, number]
    readonly eps: number
    readonly momentum: number | null
  }
  readonly schedule: string
  readonly clip_grad_norm: number
  readonly steps: readonly {
    readonly step: number
    readonly batch: number
    readonly loss: number
    readonly lr: number
    readonly grad_norm_before_clip: number
  }[]
}

/** Biases, norms and other vectors do not decay. */
const decays = (name: string, parameter: Parameter): boolean =>
  parameter.shape.length >= 2 && !name.endsWith('bias') && !name.toLowerCase().includes('norm')

function scheduleOf(golden: TrainGolden): ReturnType<typeof schedules.transformers.linear> {
  const found = /^linear warmup (\d+) \/ total (\d+)$/.exec(golden.schedule)
  if (!found) throw new UnsupportedError(`the schedule '${golden.schedule}'`)
  const [numWarmupSteps, numTrainingSteps] = found.slice(1).map(Number)
  return schedules.transformers.linear(golden.optimizer.lr, { numWarmupSteps, numTrainingSteps })
}

function optimizerOf(golden: TrainGolden, model: PreTrainedModel) {
  const named = [...model.namedParameters()].filter(({ parameter }) => parameter.trainable)
  const [yes, no] = [true, false].map((wanted) =>
    named.filter(({ name, parameter }) => decays(name, parameter) === wanted).map(({ parameter }) => parameter),
  )
  const { type, weight_decay: weightDecay, betas, eps, momentum } = golden.optimizer
  const groups = [
    { params: yes, weightDecay },
    { params: no, weightDecay: 0 },
  ].filter(({ params }) => params.length > 0)
  const lr = scheduleOf(golden)
  if (type === 'adamw') return torch.adamw(groups, { lr, betas, eps })
  if (type === 'sgd') return torch.sgd(groups, { lr, momentum: momentum ?? 0 })
  throw new UnsupportedError(`the optimizer '${type}'`)
}

interface Run {
  readonly comparisons: Comparison[]
  /** The largest gradient of each element over all steps. */
  readonly peaks: ReadonlyMap<Parameter, Float64Array>
}

const scalar = (value: number): Values => ({ dtype: 'f32', shape: [], data: [value] })

/** Takes the steps and compares loss and norm of each. */
async function train(golden: TrainGolden, model: PreTrainedModel, file: GoldenTensors): Promise<Run> {
  const optimizer = optimizerOf(golden, model)
  const { parameters } = optimizer
  const step = jit(
    (inputs: Record<string, Tensor>) => {
      const { loss } = model.forward(inputs as ModelInputs)
      if (!loss) throw new Error('the model gives no loss for these inputs')
      const grads = gradients(loss, parameters)
      const clipped = clipGradNorm(grads, golden.clip_grad_norm)
      optimizer.step(clipped.grads)
      return [loss, clipped.totalNorm, ...grads.map((grad) => grad.abs())]
    },
    { name: golden.name },
  )
  const peaks = new Map(parameters.map((parameter) => [parameter, new Float64Array(sizeOf(parameter.shape))]))
  const comparisons: Comparison[] = []
  for (const wanted of golden.steps) {
    const [loss, norm, ...tops] = await readValues(
      step(inputsOf(file, `batch${wanted.batch}/`) as Record<string, Tensor>),
    )
    const tolerance = { atol: 0, rtol: golden.optimizer.type === 'sgd' ? 1e-3 : 2e-3 }
    comparisons.push(
      compareValues(loss, scalar(wanted.loss), tolerance, `step ${wanted.step} loss`),
      compareValues(norm, scalar(wanted.grad_norm_before_clip), { atol: 0, rtol: 2e-3 }, `step ${wanted.step} norm`),
    )
    parameters.forEach((parameter, i) => {
      const peak = peaks.get(parameter) as Float64Array
      for (let j = 0; j < peak.length; j++) peak[j] = Math.max(peak[j], Number(tops[i].data[j]))
    })
  }
  return { comparisons, peaks }
}

/** Gradients below this are rounding of zero: Adam makes steps of the learning rate of them, in any direction. */
const NOISE = 1e-5

/** Values with zeros where an element is not wanted. */
const masked = (values: Values, wanted: (i: number) => boolean): Values => ({
  ...values,
  data: Array.from({ length: values.data.length }, (_, i) => (wanted(i) ? values.data[i] : 0)),
})

/** Compares the parameters after the last step. */
async function compareAfter(
  golden: TrainGolden,
  model: PreTrainedModel,
  file: GoldenTensors,
  peaks: Run['peaks'],
): Promise<Comparison[]> {
  const { keys = [], prefix } = (model.constructor as unknown as { family: Family }).family
  const byPath = new Map([...model.parameterReferences()].map(({ name, parameter }) => [name, parameter]))
  const names = file.keys('after/').map((key) => key.slice('after/'.length))
  const comparisons: Comparison[] = []
  for (const name of names) {
    const key = keyOfFile(name, keys)
    if (key === null) continue
    const parameter = byPath.get(key) ?? byPath.get(`${prefix}.${key}`)
    if (!parameter) {
      comparisons.push({ worst: null, reason: `after/${name}: the model has no such parameter` })
      continue
    }
    const [got] = await readValues([parameter.value])
    const want = file.values(`after/${name}`)
    const peak = golden.optimizer.type === 'adamw' ? peaks.get(parameter) : undefined
    const wild = golden.steps.length * golden.optimizer.lr
    // Elements whose gradient is rounding of zero are held to what Adam can make of that, the others to the tolerance.
    const [quiet, noisy] = [false, true].map(
      (wanted) => (i: number) => (peak !== undefined && peak[i] < NOISE) === wanted,
    )
    comparisons.push(
      compareValues(masked(got, quiet), masked(want, quiet), { atol: 1e-3, rtol: 0 }, `after/${name}`),
      compareValues(masked(got, noisy), masked(want, noisy), { atol: wild, rtol: 0 }, `after/${name} (no gradient)`),
    )
  }
  return comparisons
}

async function compareTraining(folder: string, stem: string): Promise<Comparison> {
  const golden = await readJson<TrainGolden>(join(folder, `${stem}.json`))
  const checkpoint = join(folder, '..', 'models', basename(golden.checkpoint))
  const { model_type: type } = await readJson<{ model_type: string }>(join(checkpoint, 'config.json'))
  const model = await loadReference(checkpoint, type, golden.model_class)
  model.train(golden.mode.startsWith('train'))
  const file = await GoldenTensors.read(folder, stem)
  const { comparisons, peaks } = await train(golden, model, file)
  return joinComparisons([...comparisons, ...(await compareAfter(golden, model, file, peaks))])
}

/** Short fine-tuning runs from the checkpoints of the area `models`, which must lie beside this area's folder. */
export const runModelsTrain: AreaRunner = async (folder, { wants, onCase }) => {
  const results: CaseResult[] = []
  const files = (await readdir(folder)).filter((name) => name.endsWith('.json')).sort()
  for (const stem of files.map((name) => name.slice(0, -'.json'.length))) {
    if (!wants(stem, stem)) continue
    const result = await runCase(stem, () => compareTraining(folder, stem))
    results.push(result)
    onCase?.(result)
  }
  return results
}
