/** All data sets, with those that read files. */
export {
  type CsvColumns,
  type CsvOptions,
  type CsvRow,
  type CsvType,
  type CsvValue,
  fromCsv,
  streamCsv,
} from './csv.node.js'
export { type FileBytesRow, type FileRow, FolderDataset, type FolderOptions, fromFolder } from './folder.node.js'
export { fromIdx } from './idx.node.js'
export * from './index.js'
export { fromJsonl, type JsonlOptions, streamJsonl } from './jsonl.node.js'
