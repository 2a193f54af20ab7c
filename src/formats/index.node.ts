/** All file formats, with those that open files. */
export { type FileOps, type WriteOptions, writeFileAtomic } from './atomic-file.node.js'
export {
  type Hdf5Attribute,
  Hdf5Builder,
  type Hdf5Group,
  hdf5Arrays,
  hdf5At,
  serializeHdf5,
} from './hdf5.js'
export { readHdf5 } from './hdf5-read.node.js'
export { readIdx } from './idx.node.js'
export * from './index.js'
export { readNpy, readNpz, writeNpy } from './npy.node.js'
export {
  openSafetensors,
  readSafetensors,
  type WritableTensors,
  type WriteSafetensorsOptions,
  writeSafetensors,
} from './safetensors.node.js'
export { type OpenTensorsOptions, openTensorFile } from './tensor-file.node.js'
export { type ReadTextOptions, readTextFile, textChunks, textLines } from './text-file.node.js'
export {
  loadTorchStateDict,
  openTorchCheckpoint,
  readTorchCheckpoint,
  type TorchCheckpoint,
  type TorchLoadOptions,
  type TorchValue,
} from './torch-checkpoint.node.js'
export { type ByteSource, bytesSource, fileSource, ZipArchive, type ZipEntry } from './zip.node.js'
export { serializeZip } from './zip-writer.node.js'
