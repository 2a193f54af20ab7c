import type { Architecture, TextTask } from './architecture.js'
import charGpt from './char-gpt.js'
import charLstm from './char-lstm.js'
import textCnn from './text-cnn.js'
import textGru from './text-gru.js'

/** Architectures are found by name: what their options are, their schema alone knows. */
const named = <O>(one: Architecture<O>): Architecture<object> => one as unknown as Architecture<object>

/** Architectures by `model_type`. */
const ALL: Readonly<Record<string, Architecture<object>>> = {
  'text-cnn': named(textCnn),
  'text-gru': named(textGru),
  'char-lstm': named(charLstm),
  'char-gpt': named(charGpt),
}

/** Names of the architectures for a task. */
export const architecturesFor = (task: TextTask): string[] => Object.keys(ALL).filter((name) => ALL[name].task === task)

/** An architecture by name; undefined where there is none. */
export const findArchitecture = (name: string): Architecture<object> | undefined =>
  Object.hasOwn(ALL, name) ? ALL[name] : undefined
