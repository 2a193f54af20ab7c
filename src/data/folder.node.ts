import { readdir, readFile } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { fileError } from '../formats/atomic-file.node.js'
import { Dataset } from './dataset.js'
import { DataError, type RowView, rowSource } from './source.js'

export interface FolderOptions {
  /** Files to take, such as `['.png', '.jpg']`, in either case. Default: all. */
  extensions?: readonly string[]
  /** The first folder below `directory` names a file's class. Default true; false gives every file label 0. */
  labelsFromFolders?: boolean
  signal?: AbortSignal
}

export interface FileRow {
  readonly path: string
  /** Place of the class among {@link FolderDataset.classes}. */
  readonly label: number
  readonly className: string
}

export interface FileBytesRow extends FileRow {
  readonly bytes: Uint8Array
}

/** Files of a folder; `classes` are the names of its folders, in the order of their code units. */
export class FolderDataset<T> extends Dataset<T> {
  constructor(
    source: Dataset<T>['source'],
    readonly classes: readonly string[],
  ) {
    super(source)
  }
}

/** Paths below `directory`, as lists of segments. Hidden entries are left out. */
async function walk(directory: string, above: readonly string[], signal: AbortSignal | undefined): Promise<string[][]> {
  signal?.throwIfAborted()
  const entries = await readdir(join(directory, ...above), { withFileTypes: true })
  const found: string[][] = []
  for (const entry of entries) {
    if (entry.name.startsWith('.')) continue
    const segments = [...above, entry.name]
    if (entry.isDirectory()) found.push(...(await walk(directory, segments, signal)))
    else if (entry.isFile() || entry.isSymbolicLink()) found.push(segments)
  }
  return found
}

const byCodeUnits = (a: string, b: string): number => (a < b ? -1 : Number(a > b))

/** Rows that name the files. */
async function fileRows(directory: string, options: FolderOptions): Promise<{ rows: FileRow[]; classes: string[] }> {
  const { extensions, labelsFromFolders = true, signal } = options
  const wanted = extensions && new Set(extensions.map((extension) => extension.toLowerCase()))
  const paths = await walk(directory, [], signal).catch((error) =>
    Promise.reject(fileError('cannot read the folder', directory, error)),
  )
  const files = paths.filter((segments) => wanted?.has(extname(segments[segments.length - 1]).toLowerCase()) ?? true)
  if (files.length === 0)
    throw new DataError(`${directory}: no files${extensions ? ` that end in ${extensions.join(', ')}` : ''}`)
  const stray = labelsFromFolders ? files.find((segments) => segments.length === 1) : undefined
  if (stray !== undefined) {
    throw new DataError(
      `${join(directory, ...stray)}: expected a folder that names its class (or labelsFromFolders: false)`,
    )
  }
  const classOf = (segments: readonly string[]) => (labelsFromFolders ? segments[0] : '')
  const classes = [...new Set(files.map(classOf))].sort(byCodeUnits)
  const labels = new Map(classes.map((name, label) => [name, label]))
  const rows = files.map((segments): FileRow => {
    const className = classOf(segments)
    return { path: join(directory, ...segments), label: labels.get(className) ?? 0, className }
  })
  return { rows: rows.sort((a, b) => byCodeUnits(a.path, b.path)), classes }
}

/**
 * The files below a folder, by default with the folder they lie in as class, in the order of their paths. Rows hold
 * `bytes`, read when asked for; decode them with `map`.
 * @throws DataError where there are no files, FileError where one cannot be read
 */
export async function fromFolder(directory: string, options: FolderOptions = {}): Promise<FolderDataset<FileBytesRow>> {
  const { rows, classes } = await fileRows(directory, options)
  const read = async (row: FileRow): Promise<FileBytesRow> => {
    try {
      return { ...row, bytes: await readFile(row.path) }
    } catch (error) {
      throw fileError('cannot read', row.path, error)
    }
  }
  const view: RowView<FileBytesRow> = {
    length: rows.length,
    at: (index) => read(rows[index]),
    where: (index) => rows[index].path,
  }
  return new FolderDataset(
    rowSource(rows.length, () => view),
    classes,
  )
}
