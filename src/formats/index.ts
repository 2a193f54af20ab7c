/** File formats that run anywhere; `index.node.ts` adds those that open files. */
export { FileError, FormatError } from './errors.js'
export {
  arrayFromBytes,
  bytesOf,
  checkHostArray,
  elementCount,
  type HostArray,
} from './host-array.js'
export { type IdxHeader, parseIdx, parseIdxHeader } from './idx.js'
export { parseNpy, serializeNpy } from './npy.js'
export {
  type LazyHostArray,
  type NamedTensors,
  parseSafetensors,
  SafetensorsBytes,
  type SafetensorsEntry,
  type SafetensorsHeader,
  serializeSafetensors,
} from './safetensors.js'
export type { ReadTensorOptions, TensorEntry, TensorFile } from './tensor-file.js'
