/** File formats that run anywhere; `index.node.ts` adds those that open files. */
export {
  arrayFromBytes,
  bytesOf,
  checkHostArray,
  elementCount,
  FormatError,
  type HostArray,
} from './host-array.js'
export {
  type LazyHostArray,
  type NamedTensors,
  parseSafetensors,
  SafetensorsBytes,
  type SafetensorsEntry,
  type SafetensorsHeader,
  serializeSafetensors,
} from './safetensors.js'
