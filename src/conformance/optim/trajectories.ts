import { timm, torch, transformers } from '../../optim/index.js'
import { jit, Parameter, type Tensor } from '../../tensor/index.js'
import { type Comparison, compareValues, joinComparisons, type Tolerance, type Values } from '../compare.js'
import { type GoldenCase, type GoldenTensors, readValues } from '../golden.js'
import { UnsupportedError } from '../unsupported.js'
import { kerasOptimizer } from './keras-config.js'
import { allOptions } from './options.js'

export interface OptimizerCase extends GoldenCase {
  /** Dotted name in the library that it comes from. */
  readonly optimizer: string
  readonly options?: Readonly<Record<string, unknown>>
  /** Which of the file's fixed initial values and gradients it is driven with. */
  readonly set: string
  readonly params: readonly string[]
  readonly groups?: readonly (Readonly<Record<string, unknown>> & { readonly params: readonly string[] })[]
}

export type Origin = 'torch' | 'keras'

type Options = ReturnType<typeof allOptions>
interface Driven {
  /** In the order in which {@link step} takes their gradients. */
  readonly parameters: readonly Parameter[]
  step(grads: readonly Tensor[]): void
  slots(param: Parameter): Readonly<Record<string, Parameter>>
}
type TorchFactory = (params: never, options: never) => Driven

const FACTORIES: Readonly<Record<string, Readonly<Record<string, TorchFactory>>>> = {
  torch: {
    SGD: torch.sgd,
    Adam: torch.adam,
    AdamW: torch.adamw,
    RMSprop: torch.rmsprop,
    Adagrad: torch.adagrad,
    Adadelta: torch.adadelta,
    Adamax: torch.adamax,
    NAdam: torch.nadam,
    RAdam: torch.radam,
    Rprop: torch.rprop,
    Adafactor: torch.adafactor,
    Muon: torch.muon,
  },
  timm: { Lion: timm.lion, Lamb: timm.lamb },
  transformers: { Adafactor: transformers.adafactor },
}
const classOf = (record: OptimizerCase): { library: string; name: string } => ({
  library: record.optimizer.slice(0, record.optimizer.indexOf('.')),
  name: record.optimizer.slice(record.optimizer.lastIndexOf('.') + 1),
})

function torchFactory(record: OptimizerCase): (params: unknown, options: Options) => Driven {
  const { library, name } = classOf(record)
  const factory = FACTORIES[library]?.[name]
  if (!factory) throw new UnsupportedError(`${library}.${name}`)
  return factory as unknown as (params: unknown, options: Options) => Driven
}

type Builder = (record: OptimizerCase, params: ReadonlyMap<string, Parameter>) => Driven

const BUILD: Readonly<Record<Origin, Builder>> = {
  torch: (record, params) => {
    const named = (names: readonly string[]): Parameter[] => names.map((name) => params.get(name) as Parameter)
    const groups = record.groups?.map(({ params: names, ...options }) => ({
      params: named(names),
      ...allOptions(options),
    }))
    return torchFactory(record)(groups ?? named(record.params), allOptions(record.options ?? {}))
  },
  keras: (record, params) =>
    kerasOptimizer({ class_name: classOf(record).name, config: record.options ?? {} }).bind([...params.values()]),
}

function magnitude(values: Values): number {
  let largest = 0
  for (let i = 0; i < values.data.length; i++) {
    const size = Math.abs(Number(values.data[i]))
    if (Number.isFinite(size)) largest = Math.max(largest, size)
  }
  return largest
}

/** Muon orthogonalizes in bfloat16, where each library rounds its own way. */
function toleranceOf(record: OptimizerCase, trajectory: Values): Tolerance {
  const lr = Number(record.options?.lr ?? record.options?.learning_rate ?? 0)
  const atol = record.optimizer.endsWith('.Muon') ? 2e-2 * lr : 1e-5 * Math.max(1, magnitude(trajectory))
  return { atol, rtol: 1e-4 }
}

/** Drives an optimizer with the file's gradients and compares the parameters after every step. */
export async function compareTrajectory(
  origin: Origin,
  record: OptimizerCase,
  file: GoldenTensors,
): Promise<Comparison> {
  const params = new Map(
    record.params.map((name) => [name, new Parameter(file.tensor(`${record.set}/init/${name}`), { name })]),
  )
  const optimizer = BUILD[origin](record, params)
  const ordered = [...params.values()]
  const step = jit(
    (grads: Tensor[]) => {
      optimizer.step(optimizer.parameters.map((param) => grads[ordered.indexOf(param)]))
      return ordered.map((param) => param.value)
    },
    { name: `${origin}/${record.id}` },
  )
  const wanted = record.params.map((name) => file.array(`${record.id}/traj/${name}`))
  const tolerances = record.params.map((name) => toleranceOf(record, file.values(`${record.id}/traj/${name}`)))
  const grads = record.params.map((name) => file.array(`${record.set}/grads/${name}`))
  const comparisons: Comparison[] = []
  for (let t = 0; t < wanted[0].shape[0]; t++) {
    const stepped = step(record.params.map((_, i) => file.rowOf(grads[i], t)))
    const got = await readValues(stepped)
    got.forEach((values, i) => {
      comparisons.push(
        compareValues(values, file.rowValues(wanted[i], t), tolerances[i], `step ${t} ${record.params[i]}`),
      )
    })
  }
  return joinComparisons([...comparisons, ...(await compareAverages(record, params, optimizer, file))])
}

async function compareAverages(
  record: OptimizerCase,
  params: ReadonlyMap<string, Parameter>,
  optimizer: Driven,
  file: GoldenTensors,
): Promise<Comparison[]> {
  const names = record.params.filter((name) => file.has(`${record.id}/ema/${name}`))
  const averages = names.map((name) => optimizer.slots(params.get(name) as Parameter).ema.value)
  const got = await readValues(averages)
  return got.map((values, i) => {
    const want = file.values(`${record.id}/ema/${names[i]}`)
    return compareValues(values, want, toleranceOf(record, want), `ema ${names[i]}`)
  })
}
