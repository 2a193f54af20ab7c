import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { loadTokenizer, SentencePieceProcessor } from '../../text/tokenizers/index.node.js'
import { type AreaOptions, type AreaRunner, runCase } from '../area.js'
import type { Comparison } from '../compare.js'
import { readJson } from '../golden.js'
import type { CaseResult } from '../report.js'
import { chatCases } from './chat.js'
import { exactly } from './compare.js'
import { type ComponentCase, compareComponent } from './components.js'
import { compareTokenizerCase, type TokenizerCase } from './golden.js'

interface NamedCase {
  readonly id: string
  readonly compare: () => Promise<Comparison>
}

async function casesOf<T>(path: string): Promise<readonly T[]> {
  const { cases } = await readJson<{ cases?: unknown }>(path)
  if (!Array.isArray(cases)) throw new TypeError(`${path}: expected { "cases": [...] }`)
  return cases as T[]
}

/** Numbers cases of one kind: `single/007`. */
function numbered<T extends { readonly kind: string }>(cases: readonly T[]): [string, T][] {
  const seen = new Map<string, number>()
  return cases.map((record) => {
    const number = seen.get(record.kind) ?? 0
    seen.set(record.kind, number + 1)
    return [`${record.kind}/${String(number).padStart(3, '0')}`, record]
  })
}

async function tokenizerCases(folder: string): Promise<NamedCase[]> {
  const cases = await casesOf<TokenizerCase>(join(folder, 'golden.json'))
  let loaded: ReturnType<typeof loadTokenizer> | null = null
  return numbered(cases).map(([id, record]) => ({
    id,
    compare: async () => {
      loaded ??= loadTokenizer(folder)
      return compareTokenizerCase(await loaded, record)
    },
  }))
}

interface SentencePieceReference {
  readonly sentencepiece_reference?: Readonly<Record<string, readonly number[]>>
  readonly sentencepiece_decode?: Readonly<Record<string, string>>
}

/** What SentencePiece's own library makes of the same texts with the model file beside the tokenizer. */
async function sentencePieceCases(folder: string): Promise<NamedCase[]> {
  const { sentencepiece_reference: ids, sentencepiece_decode: texts } = await readJson<SentencePieceReference>(
    join(folder, 'golden.json'),
  )
  const model = (await readdir(folder)).find((name) => name.endsWith('.model'))
  if (!ids || !model) return []
  let processor: SentencePieceProcessor | null = null
  return Object.entries(ids).map(([text, want], i) => ({
    id: `sentencepiece/${String(i).padStart(3, '0')}`,
    compare: async () => {
      processor ??= SentencePieceProcessor.fromBytes(await readFile(join(folder, model)), model)
      const pairs = { ids: [processor.encode(text), want], text: [processor.decode(want), texts?.[text]] } as const
      return exactly(pairs, JSON.stringify(text))
    },
  }))
}

async function componentCases(path: string): Promise<NamedCase[]> {
  const cases = await casesOf<ComponentCase>(path)
  return numbered(cases).map(([id, record]) => ({ id, compare: async () => compareComponent(record) }))
}

async function runNamed(
  stem: string,
  cases: readonly NamedCase[],
  { wants, onCase }: AreaOptions,
): Promise<CaseResult[]> {
  const results: CaseResult[] = []
  for (const { id, compare } of cases) {
    if (!wants(stem, id)) continue
    const result = await runCase(`${stem}/${id}`, compare)
    results.push(result)
    onCase?.(result)
  }
  return results
}

/** Tokenizers by folder, their components alone, and chat templates. */
export const runTokenizers: AreaRunner = async (folder, options) => {
  const results: CaseResult[] = []
  const entries = await readdir(folder, { withFileTypes: true })
  for (const { name } of entries.filter((entry) => entry.isDirectory()).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, name)
    if (existsSync(join(path, 'golden.json'))) {
      const cases = [...(await tokenizerCases(path)), ...(await sentencePieceCases(path))]
      results.push(...(await runNamed(name, cases, options)))
    }
  }
  const chats = join(folder, 'chat')
  if (existsSync(chats)) results.push(...(await runNamed('chat', await chatCases(chats), options)))
  const components = join(folder, 'components.json')
  if (existsSync(components)) results.push(...(await runNamed('components', await componentCases(components), options)))
  return results
}
