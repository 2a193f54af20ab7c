import { DataError } from '../../data/index.js'
import { PARTS, type Part } from '../job.js'
import type { DataFiles } from '../paths.node.js'
import { partOf } from '../text-data.node.js'
import type { HashSplit } from './schema.js'

interface Files<F> {
  readonly train: F
  readonly validation?: F
  readonly test?: F
  readonly split?: HashSplit
}

export type PartRows<R> = Readonly<Record<Part, readonly R[]>>

interface Reading<F, R> {
  /** Rows of a file; the training file is read first. */
  read(file: F, path: string): Promise<readonly R[]>
  /** The text whose hash says which part a row belongs to. */
  key(row: R): string
}

/** Reads the files of a recipe, and splits the training file where the recipe says so. @throws DataError where nothing is left to train on */
export async function loadParts<F extends { readonly path: string }, R>(
  data: Files<F>,
  files: DataFiles,
  { read, key }: Reading<F, R>,
): Promise<PartRows<R>> {
  const parts: Record<Part, R[]> = { train: [], validation: [], test: [] }
  for (const part of PARTS) {
    const file = data[part]
    if (!file) continue
    const path = await files.find(file.path, `data.${part}.path`)
    const rows = await read(file, path)
    if (part !== 'train' || !data.split) for (const row of rows) parts[part].push(row)
    else for (const row of rows) parts[partOf(key(row), data.split)].push(row)
    if (part === 'train' && parts.train.length === 0) throw new DataError(`${path}: there are no texts to train on`)
  }
  return parts
}
