import type { LearningRate, Optimizer } from '../../optim/index.js'
import { OPTIMIZERS } from '../../train/keras/compile.js'
import { UnsupportedError } from '../unsupported.js'
import { allOptions, camelOptions } from './options.js'
import { scheduleNamed } from './schedules.js'

/** An object as Keras serializes it. */
export interface KerasConfig {
  readonly class_name: string
  readonly config: Readonly<Record<string, unknown>>
}

const isConfig = (value: unknown): value is KerasConfig =>
  typeof value === 'object' && value !== null && 'class_name' in value && 'config' in value

function learningRate(value: unknown): LearningRate | undefined {
  if (!isConfig(value)) return value as number | undefined
  return scheduleNamed(`keras.optimizers.schedules.${value.class_name}`, 0, camelOptions(value.config))
}

/** An optimizer from its Keras configuration. @throws UnsupportedError for a class that this build lacks */
export function kerasOptimizer({ class_name, config }: KerasConfig): Optimizer {
  const factory = OPTIMIZERS[class_name] as ((options: object) => Optimizer) | undefined
  if (!factory) throw new UnsupportedError(`keras.${class_name}`)
  const { learning_rate, ...others } = config
  return factory({ ...allOptions(others), learningRate: learningRate(learning_rate) })
}
