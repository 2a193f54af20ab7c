import { DataError } from '../data/index.js'
import { readTextFile } from '../formats/index.node.js'
import { type LoadedModel, tokenizerOf } from '../tasks/model-folder.node.js'
import type { EpochSource } from '../train/index.js'
import { readImages } from './image-data.node.js'
import { ImageSource } from './image-source.js'
import { readLabelled } from './text-data.node.js'
import { TextSource } from './text-source.js'
import { WindowSource } from './window-source.js'

/** Files to evaluate on. */
export interface DataChoice {
  /** Texts with labels (CSV, TSV, JSON lines), IDX images, or a text. */
  readonly path: string
  /** IDX labels that go with images. */
  readonly labels?: string
  /** Names of the columns of texts and labels. Default `text` and `label`. */
  readonly textColumn?: string
  readonly labelColumn?: string
}

export interface FileSource {
  readonly source: EpochSource
  readonly data: string
  readonly unit: string
  readonly examples: number
}

interface Options {
  readonly batchSize?: number
  readonly signal?: AbortSignal
}

/** @throws DataError, FormatError or FileError for data that is not of the model's kind */
export async function sourceFromFiles(loaded: LoadedModel, choice: DataChoice, options: Options): Promise<FileSource> {
  const { config, vocab } = loaded
  const { batchSize = 64, signal } = options
  const data = choice.path
  if (config.task === 'text-classification') {
    const file = { path: data, text: choice.textColumn ?? 'text', label: choice.labelColumn ?? 'label' }
    const { rows } = await readLabelled(file, data, config.labels, { dropEmpty: true, signal })
    if (rows.length === 0) throw new DataError(`${data}: there is no data, the file has no texts`)
    const tokenizer = tokenizerOf(loaded)
    const examples = rows.map(({ text, label }) => ({ ids: tokenizer.encode(text), label }))
    const source = new TextSource(examples, { batchSize, shuffleSeed: null, characterDropout: 0 })
    return { source, data, unit: 'texts', examples: rows.length }
  }
  if (config.task === 'image-classification') {
    if (!choice.labels) throw new DataError(`${data}: images need their labels: give --labels FILE`)
    const read = await readImages(data, choice.labels, signal)
    const { height, width, channels, rescale } = config.image
    if (Object.values(read.size).join() !== [height, width, channels].join())
      throw new DataError(
        `${data}: images of ${read.size.height} x ${read.size.width}, the model takes ${height} x ${width}`,
      )
    const wrong = read.labels.findIndex((label) => label < 0 || label >= config.labels.length)
    if (wrong >= 0)
      throw new DataError(
        `${choice.labels}: item ${wrong} is ${read.labels[wrong]}, the model has ${config.labels.length} classes`,
      )
    const plain = { batchSize, shuffleSeed: null, rescale, flip: false, shift: 0 }
    return { source: new ImageSource(read, 0, read.count, plain), data, unit: 'images', examples: read.count }
  }
  const text = await readTextFile(data, { signal })
  if (!vocab || text === '') throw new DataError(`${data}: there is no data, the file is empty`)
  const ids = vocab.encode(text)
  const source = new WindowSource(ids, { batchSize, length: config.sequence_length, shuffleSeed: null })
  return { source, data, unit: 'characters', examples: source.characters }
}
