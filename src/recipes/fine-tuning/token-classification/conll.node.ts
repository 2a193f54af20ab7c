import { DataError } from '../../../data/index.js'
import { fromJsonl } from '../../../data/index.node.js'
import { show } from '../../../formats/strict-json.js'
import { textLines } from '../../../formats/text-file.node.js'
import { fileSource, ZipArchive } from '../../../formats/zip.node.js'
import type { TokenClassificationRecipe } from './schema.js'

export type TaggedFile = TokenClassificationRecipe['data']['train']

/** Words of a sentence with their tags, as they stand in a file. */
export interface TaggedSentence {
  readonly words: readonly string[]
  readonly tags: readonly string[]
  /** File and line. */
  readonly where: string
}

const isZip = (path: string): boolean => path.endsWith('.zip')

/** The text of a file within a zip archive. @throws DataError where it is not there, or is one of several and not named */
async function zipText(path: string, entry: string | undefined): Promise<string> {
  const source = await fileSource(path)
  try {
    const archive = await ZipArchive.open(source)
    const names = [...archive.entries.keys()].filter((name) => !name.endsWith('/'))
    const wanted = entry ?? (names.length === 1 ? names[0] : undefined)
    if (wanted === undefined || !names.includes(wanted))
      throw new DataError(
        `${path}: ${entry === undefined ? 'holds several files, name one as "entry"' : `there is no ${show(entry)}`}; it holds ${names.slice(0, 10).join(', ')}`,
      )
    const bytes = await archive.read(wanted)
    try {
      return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    } catch {
      throw new DataError(`${path}: ${wanted} is not UTF-8 text`)
    }
  } finally {
    await source.close()
  }
}

async function* linesOf(file: TaggedFile, path: string, signal?: AbortSignal): AsyncGenerator<string> {
  if (!isZip(path)) yield* textLines(path, { signal })
  else for (const line of (await zipText(path, file.entry)).split('\n')) yield line.replace(/\r$/, '')
}

/** Words may hold spaces of other scripts: a line is cut at tabs where it has some, else at spaces. */
const fieldsOf = (line: string): string[] => (line.includes('\t') ? line.split('\t') : line.trimEnd().split(/ +/))

function readFields(line: string, { tokenColumn, tagColumn }: TaggedFile, where: string): readonly [string, string] {
  const fields = fieldsOf(line)
  const [word, tag] = [fields.at(tokenColumn), fields.at(tagColumn)]
  if (fields.length < 2 || word === undefined || tag === undefined || word === '' || tag.trim() === '')
    throw new DataError(
      `${where}: expected a word in column ${tokenColumn} and its tag in column ${tagColumn}, got ${show(line)}`,
    )
  return [word, tag.trim()]
}

async function readConll(file: TaggedFile, path: string, signal?: AbortSignal): Promise<TaggedSentence[]> {
  const sentences: TaggedSentence[] = []
  let [words, tags, first, number]: [string[], string[], number, number] = [[], [], 1, 0]
  const close = (): void => {
    // Marks where a document begins, in CoNLL-2003.
    const mark = words.length === 1 && words[0] === '-DOCSTART-'
    if (words.length > 0 && !mark) sentences.push({ words, tags, where: `${path} line ${first}` })
    ;[words, tags] = [[], []]
  }
  for await (const line of linesOf(file, path, signal)) {
    number++
    if (file.comment !== undefined && line.startsWith(file.comment)) continue
    if (/^[ \t]*$/.test(line)) {
      close()
      continue
    }
    if (words.length === 0) first = number
    const [word, tag] = readFields(line, file, `${path} line ${number}`)
    words.push(word)
    tags.push(tag)
  }
  close()
  return sentences
}

const isTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'string')

async function readJsonLines(file: TaggedFile, path: string, signal?: AbortSignal): Promise<TaggedSentence[]> {
  const rows = await fromJsonl(path, {
    signal,
    parse(value): Omit<TaggedSentence, 'where'> {
      const row = value as Record<string, unknown> | null
      const [words, tags] = [row?.[file.tokens], row?.[file.tags]]
      if (!isTexts(words) || !isTexts(tags) || words.length !== tags.length)
        throw new TypeError(
          `expected lists of texts of one length as ${show(file.tokens)} and ${show(file.tags)}, got ${show(words)} and ${show(tags)}`,
        )
      return { words, tags }
    },
  })
  return (await rows.toArray()).flatMap((row, i) =>
    row.words.length > 0 ? [{ ...row, where: `${path} sentence ${i + 1}` }] : [],
  )
}

/**
 * The sentences of a CoNLL file (a word a line with its tag, a blank line between sentences; plain, `.gz`, or in a `.zip`) or of JSON lines.
 * @throws DataError that names file and line, FileError where it cannot be read
 */
export const readTagged = (file: TaggedFile, path: string, signal?: AbortSignal): Promise<TaggedSentence[]> =>
  (file.format ?? (/\.jsonl(\.gz)?$/.test(path) ? 'jsonl' : 'conll')) === 'jsonl'
    ? readJsonLines(file, path, signal)
    : readConll(file, path, signal)
