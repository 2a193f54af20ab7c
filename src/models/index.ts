import type { Architecture, TextTask } from './architecture.js'
import textCnn from './text-cnn.js'

export { type Architecture, architecture, type ModelSizes, type TextTask } from './architecture.js'

/** Architectures are found by name: what their options are, their schema alone knows. */
const named = <O>(one: Architecture<O>): Architecture<object> => one as unknown as Architecture<object>

/** Architectures by `model_type`. */
const ALL: Readonly<Record<string, Architecture<object>>> = {
  'text-cnn': named(textCnn),
}

/** Names of the architectures for a task. */
export const architecturesFor = (task: TextTask): string[] => Object.keys(ALL).filter((name) => ALL[name].task === task)

/** An architecture by name; undefined where there is none. */
export const findArchitecture = (name: string): Architecture<object> | undefined =>
  Object.hasOwn(ALL, name) ? ALL[name] : undefined
