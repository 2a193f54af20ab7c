import { show } from '../../../formats/strict-json.js'
import { readColumns } from '../../text-data.node.js'
import type { SentenceEmbeddingRecipe } from './schema.js'

export type EmbeddingFile = SentenceEmbeddingRecipe['data']['train']

/** Texts that are compared: two, or three where one is not near. */
export interface ComparedTexts {
  readonly texts: readonly string[]
  /** How near the two are, 0 to 1; null where the file does not say. */
  readonly score: number | null
}

function scoreOf(text: string, [low, high]: readonly [number, number], binary: boolean): number {
  const value = Number(text)
  if (text.trim() === '' || !(value >= low && value <= high))
    throw new RangeError(`expected a score from ${low} to ${high} (see scoreRange), got ${show(text)}`)
  const score = (value - low) / (high - low)
  if (binary && score !== 0 && score !== 1)
    throw new RangeError(`expected ${low} or ${high}, since pairs are near or not, got ${show(text)}`)
  return score
}

/** The rows of a file. @throws DataError that names the file and the row at fault, FileError where it cannot be read */
export async function readCompared(
  file: EmbeddingFile,
  path: string,
  { data: { scoreRange }, loss }: SentenceEmbeddingRecipe,
  signal?: AbortSignal,
): Promise<ComparedTexts[]> {
  const { text, textPair, negative, score } = file
  const columns = [text, textPair, ...(negative === undefined ? [] : [negative])]
  const rows = await readColumns(file, path, [...columns, ...(score === undefined ? [] : [score])], signal)
  const read = rows.map((row): ComparedTexts => {
    const empty = columns.find((column) => row[column].trim() === '')
    if (empty !== undefined) throw new RangeError(`the text ${show(empty)} is empty`)
    return {
      texts: columns.map((column) => row[column]),
      score: score === undefined ? null : scoreOf(row[score], scoreRange, loss.type === 'contrastive'),
    }
  })
  return read.toArray({ signal })
}
