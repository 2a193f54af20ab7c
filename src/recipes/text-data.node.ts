import { DataError, type Dataset, fnv1a32, fromCsv, fromJsonl } from '../data/index.node.js'
import { show } from '../formats/strict-json.js'
import type { DataFiles } from './paths.node.js'
import type { HashSplit, TextRecipe } from './schema.js'

/** A text and the number of its class. */
export interface LabelledText {
  readonly text: string
  readonly label: number
}

export type TextParts = Readonly<Record<'train' | 'validation' | 'test', readonly LabelledText[]>>

/** A row of a file, its label as it stands there. */
export interface RawRow {
  readonly text: string
  readonly textPair: string | null
  readonly label: string
}

/** A file of rows. */
export interface TableFile {
  readonly path: string
  readonly format?: 'csv' | 'tsv' | 'jsonl'
  /** Names of the columns of a CSV or TSV file whose first line does not name them. */
  readonly header?: readonly string[]
}

export interface TextFile extends TableFile {
  /** Names of the columns. */
  readonly text: string
  readonly label: string
  /** Column of a second text. */
  readonly textPair?: string
  /** Joins the labels that JSON lines give as a list; without it, lists are an error. */
  readonly labelSeparator?: string
}

/** The format of a table, by the end of its name where nothing else says. */
const formatOf = (file: TableFile, path: string): NonNullable<TableFile['format']> =>
  file.format ?? (/\.jsonl(\.gz)?$/.test(path) ? 'jsonl' : /\.tsv(\.gz)?$/.test(path) ? 'tsv' : 'csv')

function parseJsonRow(value: unknown, file: TextFile): RawRow {
  const { text, textPair, label, labelSeparator } = file
  const row = value as Record<string, unknown> | null
  const textOf = (column: string): string => {
    const found = row?.[column]
    if (typeof found !== 'string') throw new TypeError(`expected a text as ${show(column)}, got ${show(found)}`)
    return found
  }
  const given = row?.[label]
  const labelValue = Array.isArray(given) && labelSeparator !== undefined ? given.join(labelSeparator) : given
  if (typeof labelValue !== 'string' && typeof labelValue !== 'number')
    throw new TypeError(`expected a text or a number as ${show(label)}, got ${show(labelValue)}`)
  return { text: textOf(text), textPair: textPair === undefined ? null : textOf(textPair), label: String(labelValue) }
}

function parseColumns(value: unknown, names: readonly string[]): Record<string, string> {
  const row = value as Record<string, unknown> | null
  const fields = names.map((name): [string, string] => {
    const found = row?.[name]
    if (typeof found !== 'string' && typeof found !== 'number')
      throw new TypeError(`expected a text or a number as ${show(name)}, got ${show(found)}`)
    return [name, String(found)]
  })
  return Object.fromEntries(fields)
}

/**
 * Some columns of a CSV, TSV or JSON lines file as texts.
 * @throws DataError that names the file and the row at fault, FileError where it cannot be read
 */
export async function readColumns(
  file: TableFile,
  path: string,
  names: readonly string[],
  signal?: AbortSignal,
): Promise<Dataset<Record<string, string>>> {
  const format = formatOf(file, path)
  if (format === 'jsonl') return fromJsonl(path, { signal, parse: (value) => parseColumns(value, names) })
  const columns = Object.fromEntries(names.map((name) => [name, 'string' as const]))
  // Quotes are ordinary characters in TSV.
  const options = format === 'tsv' ? { delimiter: '\t', quote: null } : { delimiter: ',' }
  return fromCsv(path, { columns, signal, header: file.header, ...options })
}

/** @throws DataError that names the file and the row at fault, FileError where it cannot be read */
export async function readRows(file: TextFile, path: string, signal?: AbortSignal): Promise<Dataset<RawRow>> {
  if (formatOf(file, path) === 'jsonl') return fromJsonl(path, { signal, parse: (value) => parseJsonRow(value, file) })
  const names = [file.text, file.label, ...(file.textPair === undefined ? [] : [file.textPair])]
  const rows = await readColumns(file, path, names, signal)
  return rows.map((row) => ({
    text: row[file.text],
    textPair: file.textPair === undefined ? null : row[file.textPair],
    label: row[file.label].trim(),
  }))
}

/** Names of the classes met: numbers in their order, other names in that of the alphabet. */
export function labelsMet(labels: readonly string[]): string[] {
  const names = [...new Set(labels)]
  const numeric = names.every((name) => /^-?\d+$/.test(name))
  return numeric ? names.sort((a, b) => Number(a) - Number(b)) : names.sort()
}

/** Labels in files are names of classes, or their numbers. */
export const labelNumber = (labels: readonly string[], given: string): number => {
  const named = labels.indexOf(given)
  if (named >= 0) return named
  return /^\d+$/.test(given) && Number(given) < labels.length ? Number(given) : -1
}

/** Rows with their labels as numbers. Rows whose text is empty are left out where `dropEmpty` says so, and are an error elsewhere. */
export async function readLabelled(
  file: TextFile,
  path: string,
  labels: readonly string[] | null,
  options: { dropEmpty: boolean; signal?: AbortSignal },
): Promise<{ rows: LabelledText[]; labels: string[]; dropped: number }> {
  const raw = await readRows(file, path, options.signal)
  const names = labels ? [...labels] : labelsMet((await raw.toArray()).map(({ label }) => label))
  const numbered = raw.map(({ text, label }): LabelledText => {
    const number = labelNumber(names, label)
    // The data set adds file and line.
    if (number < 0)
      throw new RangeError(`expected a label of ${names.map((name) => show(name)).join(', ')}, got ${show(label)}`)
    if (text.trim() === '' && !options.dropEmpty) throw new RangeError('the text is empty')
    return { text, label: number }
  })
  const all = await numbered.toArray({ signal: options.signal })
  const rows = all.filter(({ text }) => text.trim() !== '')
  return { rows, labels: names, dropped: all.length - rows.length }
}

/** Which part a text belongs to, by its hash. */
export function partOf(text: string, split: HashSplit): keyof TextParts {
  const bucket = fnv1a32(text) % split.buckets
  if (split.test.includes(bucket)) return 'test'
  return split.validation.includes(bucket) ? 'validation' : 'train'
}

export interface TextData {
  readonly parts: TextParts
  readonly labels: readonly string[]
  /** Rows without a text. */
  readonly dropped: number
}

/** Reads and splits the data of a recipe. `labels`: those of the model that training goes on from. */
export async function loadTextData(
  recipe: TextRecipe,
  files: DataFiles,
  labels: readonly string[] | null,
  signal?: AbortSignal,
): Promise<TextData> {
  const { data } = recipe
  const parts: Record<keyof TextParts, LabelledText[]> = { train: [], validation: [], test: [] }
  let names = labels ?? data.labels ?? null
  let dropped = 0
  for (const part of ['train', 'validation', 'test'] as const) {
    const file = data[part]
    if (!file) continue
    const path = await files.find(file.path, `data.${part}.path`)
    const read = await readLabelled(file, path, names, { dropEmpty: data.dropEmpty, signal })
    names = read.labels
    dropped += read.dropped
    if (part !== 'train' || !data.split) parts[part].push(...read.rows)
    else for (const row of read.rows) parts[partOf(row.text, data.split)].push(row)
    if (part === 'train' && parts.train.length === 0)
      throw new DataError(`${path}: there are no texts to train on${dropped > 0 ? ` (${dropped} rows are empty)` : ''}`)
  }
  if (!names || names.length < 2)
    throw new DataError(`${data.train.path}: a classifier needs at least 2 classes, the data has ${names?.length ?? 0}`)
  return { parts, labels: names, dropped }
}
