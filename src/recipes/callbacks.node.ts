import { join } from 'node:path'
import {
  Callback,
  CSVLogger,
  EarlyStopping,
  type Json,
  ReduceLROnPlateau,
  TensorBoard,
  TerminateOnNaN,
  type TrainingCheckpoint,
} from '../train/index.node.js'
import type { CallbackSpec } from './schema.js'

interface Place {
  readonly output: string
  /** The run goes on from a checkpoint: logs are continued. */
  readonly resumed: boolean
}

type Maker<T extends CallbackSpec['type']> = (spec: Extract<CallbackSpec, { type: T }>, place: Place) => Callback

const MAKERS: { [T in CallbackSpec['type']]: Maker<T> } = {
  earlyStopping: ({ type: _, ...options }) => new EarlyStopping(options),
  reduceLROnPlateau: ({ type: _, ...options }) => new ReduceLROnPlateau(options),
  terminateOnNaN: () => new TerminateOnNaN(),
  csvLogger: ({ file }, { output, resumed }) => new CSVLogger(join(output, file), { append: resumed }),
  tensorBoard: ({ dir }, { output }) => new TensorBoard(join(output, dir)),
}

/** The callbacks of a recipe; files go below `output`. */
export const callbacksFor = (specs: readonly CallbackSpec[], place: Place): Callback[] =>
  specs.map((spec) => (MAKERS[spec.type] as Maker<CallbackSpec['type']>)(spec as never, place))

/** Counts the seconds of training over all parts of an interrupted run. */
export class Stopwatch extends Callback {
  private before = 0
  private startedAt = performance.now()

  override onTrainBegin(): void {
    this.startedAt = performance.now()
  }

  get seconds(): number {
    return this.before + (performance.now() - this.startedAt) / 1000
  }

  override state(): Json {
    return { seconds: this.seconds }
  }

  override restore(state: Json): void {
    this.before = (state as { seconds: number }).seconds
  }
}

/** Training was told to stop; what was done is saved. */
export class InterruptedError extends Error {
  override name = 'InterruptedError'
}

/**
 * Acts on an abort signal between steps, where a checkpoint can be taken: saves one and ends the run. An abort while validation runs
 * acts at the end of the epoch.
 */
export class SaveOnAbort extends Callback {
  constructor(
    private readonly signal: AbortSignal,
    private readonly checkpoint: TrainingCheckpoint,
  ) {
    super()
  }

  override onTrainBatchEnd(): Promise<void> {
    return this.act()
  }

  override onEpochSaved(): Promise<void> {
    return this.act()
  }

  private async act(): Promise<void> {
    if (!this.signal.aborted) return
    const { path } = await this.checkpoint.save()
    throw new InterruptedError(`interrupted; the run is saved in ${path}: --resume goes on from there`)
  }
}
