import type { CliCommand } from './command.js'

export interface CommandEntry {
  readonly summary: string
  /** Loads the command's file, only when it is used. */
  load(): Promise<{ readonly command: CliCommand<never> }>
}

/** Every command by name, in the order in which help lists them. */
export const COMMANDS: Readonly<Record<string, CommandEntry>> = {
  run: {
    summary: 'use a model for a task: classify, fill, answer, compare, continue texts; classify images',
    load: () => import('./commands/run.js'),
  },
  predict: {
    summary: 'use a model folder for the task it was trained for',
    load: () => import('./commands/predict.js'),
  },
  train: {
    summary: 'train what a recipe describes and write a model folder',
    load: () => import('./commands/train.js'),
  },
  eval: {
    summary: 'loss and metrics of a model folder on test data',
    load: () => import('./commands/eval.js'),
  },
  inspect: {
    summary: 'list the tensors of a checkpoint: names, shapes, dtypes, counts',
    load: () => import('./commands/inspect.js'),
  },
  download: {
    summary: 'fetch a model from a hub into the cache that Python shares',
    load: () => import('./commands/download.js'),
  },
  doctor: {
    summary: 'show which backend runs here, with what instructions and threads, and why',
    load: () => import('./commands/doctor.js'),
  },
  bench: {
    summary: 'time one case, after checking its result against the reference interpreter',
    load: () => import('./commands/bench.js'),
  },
  conformance: {
    summary: 'check this build against a folder of frozen references',
    load: () => import('./commands/conformance.js'),
  },
}
