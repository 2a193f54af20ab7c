import { join } from 'node:path'
import {
  type Callback,
  CSVLogger,
  EarlyStopping,
  ReduceLROnPlateau,
  TensorBoard,
  TerminateOnNaN,
} from '../train/index.node.js'
import type { CallbackSpec } from './schema.js'

type Maker<T extends CallbackSpec['type']> = (spec: Extract<CallbackSpec, { type: T }>, output: string) => Callback

const MAKERS: { [T in CallbackSpec['type']]: Maker<T> } = {
  earlyStopping: ({ type: _, ...options }) => new EarlyStopping(options),
  reduceLROnPlateau: ({ type: _, ...options }) => new ReduceLROnPlateau(options),
  terminateOnNaN: () => new TerminateOnNaN(),
  csvLogger: ({ file }, output) => new CSVLogger(join(output, file), { append: true }),
  tensorBoard: ({ dir }, output) => new TensorBoard(join(output, dir)),
}

/** The callbacks of a recipe; files go below `output`. */
export const callbacksFor = (specs: readonly CallbackSpec[], output: string): Callback[] =>
  specs.map((spec) => (MAKERS[spec.type] as Maker<CallbackSpec['type']>)(spec as never, output))
