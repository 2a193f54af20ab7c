import type { HostArray, LazyHostArray } from '../formats/index.node.js'
import { type Parameter, type RandomState, random, type Tensor, tensor } from '../tensor/index.js'
import { Callback, type Json } from './callbacks/callback.js'
import { type Checkpoint, CheckpointStore } from './checkpoint-store.node.js'
import type { Logs } from './history.js'

export interface TrainingCheckpointOptions {
  /** Save after every so many epochs (default 1; 0 = never at epoch ends). */
  everyEpochs?: number
  /** Save after every so many batches too. */
  everyBatches?: number
  /** Complete checkpoints to keep. Default 3. */
  keep?: number
  /** Go on from the newest checkpoint in the folder, if there is one. Default true. */
  resume?: boolean
}

const FORMAT = 1

interface SavedState {
  readonly format: number
  readonly epoch: number
  readonly batch: number
  readonly history: Readonly<Record<string, readonly (number | string)[]>>
  readonly epochs: readonly number[]
  readonly optimizer: { readonly iterations: number; readonly microSteps: number; readonly learningRate: number | null }
  readonly random: Json
  readonly callbacks: readonly Json[]
}

// JSON has no NaN and no infinities.
const toJsonNumber = (value: number): number | string => (Number.isFinite(value) ? value : String(value))

/**
 * Saves everything a run needs to go on exactly: parameters, optimizer, randomness, metrics, callbacks, epoch and position in the data.
 * Every save is atomic; a process killed at any moment resumes from its last save, and its later losses equal those of an
 * uninterrupted run bit for bit.
 */
export class TrainingCheckpoint extends Callback {
  private store!: CheckpointStore
  private batches = 0
  /** The checkpoint that this run went on from, if any. */
  resumedFrom: Checkpoint | null = null

  constructor(
    readonly directory: string,
    private readonly options: TrainingCheckpointOptions = {},
  ) {
    super()
  }

  override async onTrainBegin(): Promise<void> {
    this.store = await CheckpointStore.open(this.directory, { keep: this.options.keep })
    const latest = (this.options.resume ?? true) ? await this.store.latest() : undefined
    if (latest) {
      await this.load(latest)
      this.resumedFrom = latest
    }
  }

  override async onTrainBatchEnd(): Promise<void> {
    this.batches++
    const every = this.options.everyBatches ?? 0
    if (every > 0 && this.batches % every === 0) await this.save()
  }

  override async onEpochSaved(): Promise<void> {
    const every = this.options.everyEpochs ?? 1
    const { epoch } = this.session.progress
    if (every > 0 && (epoch % every === 0 || epoch === this.plan.epochs)) await this.save()
  }

  /** Writes a checkpoint now. */
  async save(): Promise<Checkpoint> {
    const { trainer, progress, callbacks } = this.session
    const optimizer = trainer.optimizer.state()
    const extra: Record<string, Parameter | Tensor> = {}
    for (const [name, parameter] of Object.entries(optimizer.tensors)) extra[`optimizer/${name}`] = parameter
    for (const [name, state] of Object.entries(trainer.metrics.tensors())) extra[`metrics/${name}`] = state
    for (const [i, callback] of callbacks.entries()) {
      for (const [name, value] of Object.entries(callback.tensors())) extra[`callbacks/${i}/${name}`] = value
    }
    const state: SavedState = {
      format: FORMAT,
      epoch: progress.epoch,
      batch: progress.batch,
      epochs: progress.history.epoch,
      history: Object.fromEntries(
        Object.entries(progress.history.history).map(([name, list]) => [name, list.map(toJsonNumber)]),
      ),
      optimizer: optimizer.counters,
      random: (await random.getState()) as unknown as Json,
      callbacks: callbacks.map((callback) => callback.state()),
    }
    return this.store.save({
      'model.safetensors': { tensors: await hostArrays(trainer.model.stateDict()), metadata: { format: 'pt' } },
      'optimizer.safetensors': { tensors: await hostArrays(extra) },
      'state.json': { json: state },
    })
  }

  private async load(checkpoint: Checkpoint): Promise<void> {
    const { trainer, progress, callbacks } = this.session
    const state = (await checkpoint.readJson('state.json')) as SavedState
    if (state.format !== FORMAT)
      throw new Error(`${checkpoint.path}: checkpoint format ${state.format}, this version reads ${FORMAT}`)
    const weights = await readTensors(checkpoint, 'model.safetensors')
    loadInto(trainer.model.stateDict(), weights, checkpoint.path)
    trainer.bindOptimizer()
    const extra = await readTensors(checkpoint, 'optimizer.safetensors')
    loadInto(trainer.optimizer.state().tensors, under(extra, 'optimizer/'), checkpoint.path)
    trainer.optimizer.restoreCounters(state.optimizer)
    trainer.metrics.restore(under(extra, 'metrics/'))
    random.setState(state.random as unknown as RandomState)
    for (const [i, callback] of callbacks.entries()) {
      const saved = state.callbacks[i] ?? null
      if (saved !== null) callback.restore(saved)
      callback.restoreTensors(under(extra, `callbacks/${i}/`))
    }
    progress.epoch = state.epoch
    progress.batch = state.batch
    for (const [i, epoch] of state.epochs.entries()) {
      const logs: Logs = {}
      for (const [name, list] of Object.entries(state.history)) if (list[i] !== undefined) logs[name] = Number(list[i])
      progress.history.add(epoch, logs)
    }
  }
}

/** Tensors read into host memory, for writing; parameters in the dtype that they are stored in. */
export async function hostArrays(
  tensors: Readonly<Record<string, Parameter | Tensor>>,
): Promise<Record<string, HostArray | LazyHostArray>> {
  const entries = await Promise.all(
    Object.entries(tensors).map(async ([name, item]) => {
      const value = 'cell' in item ? item.stored : item
      return [name, { dtype: value.dtype, shape: value.shape, data: await value.raw() }] as const
    }),
  )
  return Object.fromEntries(entries)
}

async function readTensors(checkpoint: Checkpoint, name: string): Promise<Record<string, Tensor>> {
  const file = await checkpoint.openTensors(name)
  try {
    const entries = await Promise.all(
      [...file.entries.keys()].map(async (key) => {
        const { dtype, shape, data } = await file.read(key)
        return [key, tensor(data, { dtype, shape })] as const
      }),
    )
    return Object.fromEntries(entries)
  } finally {
    await file.close()
  }
}

const under = (tensors: Readonly<Record<string, Tensor>>, prefix: string): Record<string, Tensor> =>
  Object.fromEntries(
    Object.entries(tensors).flatMap(([name, value]) =>
      name.startsWith(prefix) ? [[name.slice(prefix.length), value]] : [],
    ),
  )

/** @throws Error naming missing and unexpected keys. */
export function checkKeys(expected: readonly string[], found: readonly string[], where: string): void {
  const [wanted, given] = [new Set(expected), new Set(found)]
  const missing = expected.filter((name) => !given.has(name))
  const unexpected = found.filter((name) => !wanted.has(name))
  if (missing.length === 0 && unexpected.length === 0) return
  const list = (names: readonly string[]): string =>
    names.slice(0, 10).join(', ') + (names.length > 10 ? `, ... (${names.length})` : '')
  throw new Error(
    `${where}: the checkpoint does not fit the model${missing.length > 0 ? `; missing: ${list(missing)}` : ''}${unexpected.length > 0 ? `; unexpected: ${list(unexpected)}` : ''}`,
  )
}

/**
 * Copies tensors into parameters by name; both sides must agree.
 * @throws Error naming missing and unexpected keys, and shapes that differ.
 */
export function loadInto(
  parameters: Readonly<Record<string, Parameter>>,
  tensors: Readonly<Record<string, Tensor>>,
  where: string,
): void {
  checkKeys(Object.keys(parameters), Object.keys(tensors), where)
  for (const [name, parameter] of Object.entries(parameters)) {
    const value = tensors[name]
    if (value.shape.join() !== parameter.shape.join()) {
      throw new Error(
        `${where}: ${name} has shape [${value.shape.join(', ')}], the model expects [${parameter.shape.join(', ')}]`,
      )
    }
    parameter.value = value.to(parameter.dtype)
  }
}
