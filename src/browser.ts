import { createInterpreterBackend } from './backends/interpreter/index.js'
import { preferBackends, registerBackend } from './runtime/index.js'

registerBackend('interpreter', createInterpreterBackend)
preferBackends(['interpreter'])

/** The package's entry in browsers. */
export * from './index.js'
