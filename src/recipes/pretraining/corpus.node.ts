import { DataError, fromCsv, fromJsonl } from '../../data/index.node.js'
import { show } from '../../formats/strict-json.js'
import { textLines } from '../../formats/text-file.node.js'
import type { Part } from '../job.js'
import type { DataFiles } from '../paths.node.js'
import type { PretrainingRecipe } from '../schema.js'
import { partOf } from '../text-data.node.js'
import type { CorpusFile } from './schema.js'

type Format = NonNullable<CorpusFile['format']>
type Reader = (path: string, column: string, signal?: AbortSignal) => Promise<string[]>

const table =
  (options: { delimiter: string; quote?: null }): Reader =>
  async (path, column, signal) => {
    const rows = await fromCsv(path, { columns: { [column]: 'string' as const }, signal, ...options })
    return rows.map((row) => row[column]).toArray()
  }

const READERS: { readonly [F in Format]: Reader } = {
  async text(path, _, signal) {
    const lines: string[] = []
    for await (const line of textLines(path, { signal })) lines.push(line)
    return lines
  },
  csv: table({ delimiter: ',' }),
  // Quotes are ordinary characters in TSV.
  tsv: table({ delimiter: '\t', quote: null }),
  async jsonl(path, column, signal) {
    const rows = fromJsonl(path, {
      signal,
      parse: (value) => {
        const text = (value as Record<string, unknown> | null)?.[column]
        if (typeof text !== 'string') throw new TypeError(`expected a text as ${show(column)}, got ${show(text)}`)
        return text
      },
    })
    return (await rows).toArray()
  },
}

const formatOf = (path: string): Format => (/\.(csv|tsv|jsonl)(?:\.gz)?$/.exec(path)?.[1] as Format) ?? 'text'

export type Documents = Readonly<Record<Part, readonly string[]>>

/** Documents of each part, training ones as often as their file is to be read. @throws DataError or FileError naming the file at fault */
export async function loadCorpus(
  { data }: PretrainingRecipe,
  files: DataFiles,
  signal?: AbortSignal,
): Promise<Documents> {
  const parts: Record<Part, string[]> = { train: [], validation: [], test: [] }
  for (const [i, { path: name, format, text: column, repeat }] of data.files.entries()) {
    const path = await files.find(name, `data.files.${i}.path`)
    const texts = await READERS[format ?? formatOf(path)](path, column, signal)
    const found = texts.filter((text) => text.trim() !== '')
    if (found.length === 0) throw new DataError(`${path}: there are no texts in it`)
    for (const text of found) {
      const part = data.split ? partOf(text, data.split) : 'train'
      for (let n = part === 'train' ? repeat : 1; n > 0; n--) parts[part].push(text)
    }
  }
  if (parts.train.length === 0) throw new DataError('data.split: no text is left to train on')
  return parts
}
