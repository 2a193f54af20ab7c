import { type ReadTextOptions, textLines } from '../formats/text-file.node.js'
import { collectLocated, type Located, locatedSource } from './combine.js'
import { Dataset } from './dataset.js'
import { DataError, dataError } from './source.js'

export interface JsonlOptions<T> extends ReadTextOptions {
  /** Checks a line's value and gives it its type; what it throws comes out with file and line. */
  parse?: (value: unknown) => T
  /** Reads at most so many rows. */
  limit?: number
}

async function* jsonRows<T>(path: string, options: JsonlOptions<T>): AsyncGenerator<Located<T>> {
  let line = 0
  let count = 0
  for await (const text of textLines(path, options)) {
    const where = `${path} line ${++line}`
    if (text.trim() === '') continue
    if (count++ >= (options.limit ?? Number.POSITIVE_INFINITY)) return
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch (error) {
      throw new DataError(`${where}: not valid JSON (${(error as Error).message})`)
    }
    try {
      yield { row: options.parse === undefined ? (value as T) : options.parse(value), where }
    } catch (error) {
      throw dataError('not as expected', where, error)
    }
  }
}

/**
 * Reads a file of one JSON value a line into memory. Blank lines are skipped.
 * @throws DataError that names file and line; FileError where the file cannot be read
 */
export async function fromJsonl<T = unknown>(path: string, options: JsonlOptions<T> = {}): Promise<Dataset<T>> {
  return new Dataset(await collectLocated(jsonRows(path, options)))
}

/** {@link fromJsonl} for files larger than memory: read anew each epoch. */
export function streamJsonl<T = unknown>(path: string, options: JsonlOptions<T> = {}): Dataset<T> {
  return new Dataset(locatedSource(({ signal }) => jsonRows(path, { ...options, signal: signal ?? options.signal })))
}
