/** Text from models: options and rules of transformers' `generate`. */
export { type GenerateCall, type Generated, generate } from './generate.js'
export { type GenerationOptions, generationOptions, processorsOf } from './options.js'
export type { LogitsProcessor } from './processors.js'
export * as processors from './processors.js'
export * as warpers from './warpers.js'
