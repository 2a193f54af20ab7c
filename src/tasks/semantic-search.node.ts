import { createHash } from 'node:crypto'
import { mkdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { FormatError } from '../formats/errors.js'
import { openSafetensors, writeFileAtomic, writeSafetensors } from '../formats/index.node.js'
import { isRecord } from '../formats/strict-json.js'
import { readJsonFile } from './model-folder.node.js'
import { type SentenceComparer, type SimilarityOptions, sentenceComparer } from './sentence-similarity.js'
import type { TextModel } from './text-model.js'
import { checkCount } from './types.js'

export interface SearchResult {
  readonly text: string
  /** Number of the text in the index. */
  readonly index: number
  /** Cosine of its vector and the query's. */
  readonly score: number
}

/** Texts with their vectors of length 1. */
export interface SearchIndex {
  readonly texts: readonly string[]
  /** [texts, width]. */
  readonly vectors: Float32Array
  readonly width: number
}

export interface SearchOptions extends SimilarityOptions {
  /** Results of a query. Default 10. */
  readonly topK?: number
}

/** Finds the texts whose meaning is nearest to a query's. */
export interface SemanticSearcher {
  readonly task: 'semantic-search'
  readonly model: string
  /** Vectors of texts; with `folder` they are kept there, and used again while texts and model are the same. */
  index(texts: readonly string[], options?: SimilarityOptions & { readonly folder?: string }): Promise<SearchIndex>
  /** Nearest first. */
  (query: string, index: SearchIndex, options?: SearchOptions): Promise<SearchResult[]>
}

const INDEX_FILE = 'index.json'
const VECTORS_FILE = 'vectors.safetensors'
const FORMAT = 1

/** What an index was made of: the same gives the same vectors. */
function fingerprint(model: string, texts: readonly string[], options: SimilarityOptions): string {
  const hash = createHash('sha256')
  hash.update(
    JSON.stringify([FORMAT, model, options.pooling ?? null, options.truncation ?? null, options.maxLength ?? null]),
  )
  for (const text of texts) hash.update(`${text.length} ${text}`)
  return hash.digest('hex')
}

/** The index of a folder, where it is of the same texts and model. @throws FormatError for a damaged one */
async function readIndex(folder: string, texts: readonly string[], wanted: string): Promise<SearchIndex | null> {
  const path = join(folder, INDEX_FILE)
  if (!(await stat(path).catch(() => null))) return null
  const json = await readJsonFile(path)
  if (!isRecord(json) || json.fingerprint !== wanted) return null
  const file = await openSafetensors(join(folder, VECTORS_FILE))
  try {
    const { dtype, shape, data } = await file.read('vectors')
    if (dtype !== 'f32' || shape.length !== 2 || shape[0] !== texts.length)
      throw new FormatError(`${join(folder, VECTORS_FILE)}: expected f32 vectors of ${texts.length} texts`)
    return { texts, vectors: (data as Float32Array).slice(), width: shape[1] }
  } finally {
    await file.close()
  }
}

async function writeIndex(
  folder: string,
  { texts, vectors, width }: SearchIndex,
  own: string,
  model: string,
): Promise<void> {
  await mkdir(folder, { recursive: true })
  const array = { dtype: 'f32' as const, shape: [texts.length, width], data: vectors }
  await writeSafetensors(join(folder, VECTORS_FILE), { vectors: array })
  // Written last: vectors without it are passed over.
  const json = { fingerprint: own, model, texts: texts.length, width }
  const bytes = new TextEncoder().encode(`${JSON.stringify(json, null, 2)}\n`)
  await writeFileAtomic(join(folder, INDEX_FILE), (sink) => sink.write(bytes))
}

export function semanticSearcher(text: TextModel, own: SimilarityOptions = {}): SemanticSearcher {
  const compare: SentenceComparer = sentenceComparer(text, own)
  const model = text.name

  async function index(
    texts: readonly string[],
    { folder, ...options }: SimilarityOptions & { readonly folder?: string } = {},
  ): Promise<SearchIndex> {
    if (texts.length === 0) throw new RangeError('there are no texts to search in')
    const mark = fingerprint(model, texts, { ...own, ...options })
    const kept = folder === undefined ? null : await readIndex(folder, texts, mark)
    if (kept) return kept
    const rows = await compare.embed(texts, options)
    const width = rows[0].length
    const vectors = new Float32Array(texts.length * width)
    for (const [i, row] of rows.entries()) vectors.set(row, i * width)
    const made = { texts, vectors, width }
    if (folder !== undefined) await writeIndex(folder, made, mark, model)
    return made
  }

  async function search(query: string, found: SearchIndex, options: SearchOptions = {}): Promise<SearchResult[]> {
    const topK = checkCount('topK', options.topK ?? 10)
    const [vector] = await compare.embed([query], options)
    const { texts, vectors, width } = found
    if (vector.length !== width)
      throw new RangeError(`the index holds vectors of ${width}, ${model} gives ${vector.length}`)
    const results = texts.map((one, i): SearchResult => {
      let score = 0
      for (let k = 0; k < width; k++) score += vector[k] * vectors[i * width + k]
      return { text: one, index: i, score }
    })
    return results.sort((a, b) => b.score - a.score || a.index - b.index).slice(0, topK)
  }
  return Object.assign(search, { task: 'semantic-search' as const, model, index })
}
