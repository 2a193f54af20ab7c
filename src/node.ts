import { mapFileNatively } from './backends/cpu/file-map.js'
import { createCpuBackend } from './backends/cpu/index.js'
import { createInterpreterBackend } from './backends/interpreter/index.js'
import { setFileMapper } from './formats/file-map.node.js'
import { preferBackends, registerBackend } from './runtime/index.js'
// Methods of models that read and write files.
import './train/model-files.node.js'

const problems: Record<string, string> = {}

/** Backends that were passed over in this process, with the reason. */
export const backendProblems = (): Readonly<Record<string, string>> => problems

function onFallback(name: string, reason: string): void {
  problems[name] = reason
  if (process.env.KAIMO_BACKEND) return
  console.warn(
    `kaimo: the ${name} backend cannot run here (${reason}); the much slower reference interpreter takes over. See: kaimo doctor`,
  )
}

registerBackend('cpu', createCpuBackend)
registerBackend('interpreter', createInterpreterBackend)
setFileMapper(mapFileNatively)
preferBackends(process.env.KAIMO_BACKEND ? [process.env.KAIMO_BACKEND] : ['cpu', 'interpreter'], onFallback)

/** The package's entry in Node. */
export * from './index.js'
export * from './models/auto.node.js'
export { AutoTokenizer, saveTokenizer } from './text/tokenizers/index.node.js'
