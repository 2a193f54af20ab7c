/** All file formats, with those that open files. */
export { FileError, type FileOps, type WriteOptions, writeFileAtomic } from './atomic-file.node.js'
export * from './index.js'
export {
  openSafetensors,
  readSafetensors,
  type TensorFile,
  type WritableTensors,
  type WriteSafetensorsOptions,
  writeSafetensors,
} from './safetensors.node.js'
