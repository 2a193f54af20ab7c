import { DataError, type Dataset } from '../../../data/index.js'
import { show } from '../../../formats/strict-json.js'
import type { DataFiles } from '../../paths.node.js'
import { labelNumber, labelsMet, type RawRow, readColumns, readRows } from '../../text-data.node.js'
import { loadParts, type PartRows } from '../parts.node.js'
import type { Problem, SequenceClassificationRecipe } from './schema.js'

/** A text with its target: the number of a class, numbers 0 or 1 for every class, or a value. */
export interface Example {
  readonly text: string
  readonly textPair: string | null
  readonly target: number | readonly number[]
}

export interface FineTuningData {
  readonly parts: PartRows<Example>
  /** Null for regression. */
  readonly labels: readonly string[] | null
  readonly dropped: number
}

const splitLabels = (label: string, separator: string): string[] =>
  label
    .split(separator)
    .map((name) => name.trim())
    .filter((name) => name !== '')

interface Reading {
  readonly problem: Problem
  readonly labelSeparator: string
  readonly dropEmpty: boolean
  readonly signal?: AbortSignal
}

/** What a label in a file stands for. @throws RangeError for one that is not known */
function targetOf(
  label: string,
  labels: readonly string[] | null,
  { problem, labelSeparator }: Reading,
): Example['target'] {
  if (labels === null) {
    const value = Number(label)
    if (label.trim() === '' || !Number.isFinite(value)) throw new RangeError(`expected a number, got ${show(label)}`)
    return value
  }
  const number = (name: string): number => {
    const found = labelNumber(labels, name)
    if (found < 0)
      throw new RangeError(`expected a label of ${labels.map((known) => show(known)).join(', ')}, got ${show(name)}`)
    return found
  }
  if (problem === 'single_label_classification') return number(label)
  const chosen = new Set(splitLabels(label, labelSeparator).map(number))
  return labels.map((_, i) => (chosen.has(i) ? 1 : 0))
}

/** Names of the classes of a file, where nothing else names them. */
function namesIn(rows: readonly RawRow[], { problem, labelSeparator }: Reading): string[] | null {
  if (problem === 'regression') return null
  const all = rows.map(({ label }) => label)
  return labelsMet(
    problem === 'multi_label_classification' ? all.flatMap((label) => splitLabels(label, labelSeparator)) : all,
  )
}

type ExampleFile = SequenceClassificationRecipe['data']['train']

interface Examples {
  readonly rows: Example[]
  readonly labels: readonly string[] | null
  readonly dropped: number
}

/** Rows of a file with a column of 0 and 1 for each label. */
async function fromLabelColumns(
  file: ExampleFile & { readonly label: readonly string[] },
  path: string,
  labels: readonly string[] | null,
  { signal }: Reading,
): Promise<Dataset<Example>> {
  const { text, textPair, label } = file
  const unknown = (labels ?? []).find((name) => !label.includes(name))
  if (unknown !== undefined || (labels && labels.length !== label.length))
    throw new DataError(
      `${path}: expected columns for the labels ${(labels ?? []).join(', ')}, got ${label.join(', ')}`,
    )
  const columns = [text, ...(textPair === undefined ? [] : [textPair]), ...label]
  const rows = await readColumns(file, path, columns, signal)
  return rows.map((row) => {
    const target = (labels ?? label).map((name) => {
      const value = row[name].trim()
      if (value !== '0' && value !== '1') throw new RangeError(`expected 0 or 1 as ${show(name)}, got ${show(value)}`)
      return Number(value)
    })
    return { text: row[text], textPair: textPair === undefined ? null : row[textPair], target }
  })
}

/** Rows of a file with a column of labels. */
async function fromLabelColumn(
  file: ExampleFile & { readonly label: string },
  path: string,
  labels: readonly string[] | null,
  reading: Reading,
): Promise<{ rows: Dataset<Example>; labels: readonly string[] | null }> {
  const { problem, labelSeparator, signal } = reading
  const several = problem === 'multi_label_classification' ? { labelSeparator } : {}
  const raw = await readRows({ ...file, ...several }, path, signal)
  const names = labels ?? namesIn(await raw.toArray(), reading)
  const rows = raw.map(({ text, textPair, label }) => ({ text, textPair, target: targetOf(label, names, reading) }))
  return { rows, labels: names }
}

/** Rows of a file with their targets. @throws DataError that names the file and the row at fault */
async function readExamples(
  file: ExampleFile,
  path: string,
  labels: readonly string[] | null,
  reading: Reading,
): Promise<Examples> {
  const { label } = file
  const read = Array.isArray(label)
    ? { rows: await fromLabelColumns({ ...file, label }, path, labels, reading), labels: labels ?? label }
    : await fromLabelColumn({ ...file, label }, path, labels, reading)
  const checked = read.rows.map((row) => {
    if (row.text.trim() === '' && !reading.dropEmpty) throw new RangeError('the text is empty')
    return row
  })
  const all = await checked.toArray({ signal: reading.signal })
  const rows = all.filter(({ text }) => text.trim() !== '')
  return { rows, labels: read.labels, dropped: all.length - rows.length }
}

/** Reads and splits the data of a recipe. `labels`: those of a model that is trained already. */
export async function loadFineTuningData(
  recipe: SequenceClassificationRecipe,
  files: DataFiles,
  labels: readonly string[] | null,
  signal?: AbortSignal,
): Promise<FineTuningData> {
  const { data, problem } = recipe
  const { dropEmpty, labelSeparator } = data
  const reading: Reading = { problem, labelSeparator, dropEmpty, signal }
  let names = labels ?? data.labels ?? null
  let dropped = 0
  const parts = await loadParts(data, files, {
    async read(file, path) {
      const read = await readExamples(file, path, names, reading)
      names = read.labels
      dropped += read.dropped
      return read.rows
    },
    key: ({ text }) => text,
  })
  const fewest = problem === 'multi_label_classification' ? 1 : 2
  const classes = (names as readonly string[] | null)?.length ?? 0
  if (problem !== 'regression' && classes < fewest)
    throw new DataError(`${data.train.path}: a classifier needs at least ${fewest} classes, the data has ${classes}`)
  return { parts, labels: names, dropped }
}
