import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { loadTokenizer } from '../../text/tokenizers/index.node.js'
import { type AreaOptions, type AreaRunner, runCase } from '../area.js'
import type { Comparison } from '../compare.js'
import { readJson } from '../golden.js'
import type { CaseResult } from '../report.js'
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
    if (existsSync(join(path, 'golden.json')))
      results.push(...(await runNamed(name, await tokenizerCases(path), options)))
  }
  const components = join(folder, 'components.json')
  if (existsSync(components)) results.push(...(await runNamed('components', await componentCases(components), options)))
  return results
}
