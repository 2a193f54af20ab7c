import { pipeline, Readable } from 'node:stream'
import { type CsvError, type Info, type Options, parse } from 'csv-parse'
import { show } from '../formats/strict-json.js'
import { type ReadTextOptions, textChunks } from '../formats/text-file.node.js'
import { collectLocated, type Located, locatedSource } from './combine.js'
import { Dataset } from './dataset.js'
import { DataError } from './source.js'

/** What a column's text is read as. */
export type CsvType = 'string' | 'number' | 'integer' | 'boolean' | 'bigint'
export type CsvValue = string | number | boolean | bigint
type ValueOf<T extends CsvType> = {
  string: string
  number: number
  integer: number
  boolean: boolean
  bigint: bigint
}[T]
export type CsvRow<C extends CsvColumns> = { -readonly [K in keyof C]: ValueOf<C[K]> }
export type CsvColumns = Readonly<Record<string, CsvType>>

export interface CsvOptions<C extends CsvColumns = CsvColumns> extends ReadTextOptions {
  /** Columns to read and their types, such as `{ label: 'integer', review: 'string' }`. Default: all, as strings. */
  columns?: C
  /** Whether the first line names the columns (default), or the names where no line does. */
  header?: boolean | readonly string[]
  /** Default: a tab for `.tsv` and `.tsv.gz`, else a comma. */
  delimiter?: string
  /** Null where quotes are ordinary characters, as in many TSV files. Default `"`. */
  quote?: string | null
  /** Lines that start with it are left out. */
  comment?: string
  /** What empty fields of a column stand for. Without it an empty number is an error. */
  missing?: Readonly<Record<string, CsvValue>>
  /** Reads at most so many rows. */
  limit?: number
}

const INTEGER = /^[+-]?\d+$/
const NUMBER = /^[+-]?(\d+\.?\d*([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?|inf|infinity|nan)$/i
const BOOLEANS: ReadonlyMap<string, boolean> = new Map([
  ['true', true],
  ['1', true],
  ['false', false],
  ['0', false],
])

function parseNumber(text: string): number | undefined {
  if (!NUMBER.test(text)) return undefined
  const word = text.replace(/^[+-]/, '').toLowerCase()
  if (word === 'nan') return Number.NaN
  const magnitude = word.startsWith('inf') ? Number.POSITIVE_INFINITY : Number(word)
  return text.startsWith('-') ? -magnitude : magnitude
}

/** Reads a trimmed field; undefined where it is not of the type. */
const PARSERS: { readonly [T in CsvType]: (text: string) => CsvValue | undefined } = {
  string: (text) => text,
  number: parseNumber,
  integer: (text) => (INTEGER.test(text) && Number.isSafeInteger(Number(text)) ? Number(text) : undefined),
  boolean: (text) => BOOLEANS.get(text.toLowerCase()),
  bigint: (text) => (INTEGER.test(text) ? BigInt(text.replace(/^\+/, '')) : undefined),
}

/** A column to read: its place in the record, name and type. */
interface Field {
  readonly index: number
  readonly name: string
  readonly type: CsvType
}

function chooseFields(names: readonly string[], columns: CsvColumns | undefined, path: string): Field[] {
  const repeated = names.find((name, i) => names.indexOf(name) !== i)
  if (repeated !== undefined) throw new DataError(`${path} line 1: the column ${show(repeated)} occurs twice`)
  const chosen = columns ?? Object.fromEntries(names.map((name) => [name, 'string' as const]))
  return Object.entries(chosen).map(([name, type]) => {
    const index = names.indexOf(name)
    if (index < 0)
      throw new DataError(
        `${path}: expected a column ${show(name)}, the file has ${names.map((known) => show(known)).join(', ')}`,
      )
    if (!Object.hasOwn(PARSERS, type)) {
      throw new TypeError(
        `column ${show(name)}: expected a type of ${Object.keys(PARSERS).join(', ')}, got ${show(type)}`,
      )
    }
    return { index, name, type }
  })
}

function readField(
  { index, name, type }: Field,
  record: readonly string[],
  options: CsvOptions,
  where: string,
): CsvValue {
  const text = type === 'string' ? record[index] : record[index].trim()
  if (text === '' && options.missing !== undefined && Object.hasOwn(options.missing, name)) return options.missing[name]
  const value = PARSERS[type](text)
  if (value === undefined)
    throw new DataError(
      `${where}: column ${show(name)}: expected ${type === 'integer' ? 'an' : 'a'} ${type}, got ${show(text)}`,
    )
  return value
}

const parserOptions = (path: string, options: CsvOptions): Options => ({
  delimiter: options.delimiter ?? (/\.tsv(\.gz)?$/.test(path) ? '\t' : ','),
  quote: options.quote === undefined ? '"' : options.quote,
  comment: options.comment ?? null,
  comment_no_infix: true,
  info: true,
  skip_empty_lines: true,
  relax_column_count: true, // counted here, where the line is known
  // A quote that is never closed swallows the rest of the file: stop before it fills the memory.
  max_record_size: 2 ** 26,
})

/** The records of a file with the line that each starts on. */
async function* records(path: string, options: CsvOptions): AsyncGenerator<{ record: string[]; line: number }> {
  const parser = parse(parserOptions(path, options))
  let failure: unknown
  const text = Readable.from(textChunks(path, options), { objectMode: true })
  pipeline(text, parser, (error) => {
    failure = error
  })
  try {
    for await (const { record, info } of parser as AsyncIterable<{ record: string[]; info: Info }>) {
      // The parser counts lines up to the record's end.
      yield { record, line: info.lines - record.reduce((breaks, field) => breaks + field.split('\n').length - 1, 0) }
    }
  } catch (error) {
    throw csvError(failure ?? error, path)
  } finally {
    text.destroy()
    parser.destroy()
  }
}

/** The parser reads ahead of the rows: its message has the line of the fault. */
function csvError(error: unknown, path: string): unknown {
  const isCsv = error instanceof Error && 'code' in error && String(error.code).startsWith('CSV_')
  return isCsv ? new DataError(`${path}: ${(error as CsvError).message}`, { cause: error }) : error
}

async function* csvRows<C extends CsvColumns>(
  path: string,
  options: CsvOptions<C>,
): AsyncGenerator<Located<CsvRow<C>>> {
  const { header = true, columns, limit = Number.POSITIVE_INFINITY } = options
  let fields = Array.isArray(header) ? chooseFields(header, columns, path) : undefined
  let width = Array.isArray(header) ? header.length : undefined
  let count = 0
  for await (const { record, line } of records(path, options)) {
    const where = `${path} line ${line}`
    if (width !== undefined && record.length !== width) {
      throw new DataError(`${where}: expected ${width} fields, got ${record.length}`)
    }
    width = record.length
    if (fields === undefined) {
      const names = header === true ? record : record.map((_, i) => String(i))
      fields = chooseFields(names, columns, path)
      if (header === true) continue
    }
    if (count++ >= limit) return
    const row = Object.fromEntries(fields.map((field) => [field.name, readField(field, record, options, where)]))
    yield { row: row as CsvRow<C>, where }
  }
}

/**
 * Reads a CSV file into memory, a row an object: `await fromCsv('train.csv', { columns: { label: 'integer', text: 'string' } })`.
 * Without a header line and names, columns are called "0", "1", ...
 * @throws DataError that names file, line and column; FileError where the file cannot be read
 */
export async function fromCsv<const C extends CsvColumns>(
  path: string,
  options: CsvOptions<C> = {},
): Promise<Dataset<CsvRow<C>>> {
  return new Dataset(await collectLocated(csvRows(path, options)))
}

/** {@link fromCsv} for files larger than memory: read anew each epoch. */
export function streamCsv<const C extends CsvColumns>(path: string, options: CsvOptions<C> = {}): Dataset<CsvRow<C>> {
  return new Dataset(locatedSource(({ signal }) => csvRows(path, { ...options, signal: signal ?? options.signal })))
}
