import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type AreaRunner, runCase } from '../area.js'
import { type Comparison, joinComparisons } from '../compare.js'
import { readJson } from '../golden.js'
import type { CaseResult } from '../report.js'
import { UnsupportedError } from '../unsupported.js'
import { compareNested, type Reference } from './compare.js'
import { KINDS, type MetricCase, TRANSLATION, type TranslationScore } from './kinds.js'

interface Case extends MetricCase {
  readonly id?: string
  readonly kind: string
}

type Fields = Readonly<Record<string, Reference>>

function compareNamed({ kind, inputs, expected }: Case): Comparison {
  const compute = KINDS[kind]
  if (!compute) throw new UnsupportedError(`the kind of metrics '${kind}'`)
  const parts = Object.entries(expected as Fields).map(([name, want]) => {
    const got = compute(inputs, name)
    if (got === undefined) throw new UnsupportedError(`the metric '${name}' of ${kind}`)
    return compareNested(got, want, name)
  })
  return joinComparisons(parts)
}

/** Fields of a translation score that say what is computed, not what comes out. */
const SETTINGS = new Set(['metric', 'tokenize', 'args', 'refs2'])

function compareTranslations({ inputs, expected }: Case): Comparison {
  const texts = inputs as unknown as { hyp: string[]; ref: string[] }
  const parts = (expected as unknown as readonly (TranslationScore & Fields)[]).map((entry, i) => {
    const compute = TRANSLATION[entry.metric]
    if (!compute) throw new UnsupportedError(`the metric '${entry.metric}'`)
    const wanted = Object.fromEntries(Object.entries(entry).filter(([name]) => !SETTINGS.has(name)))
    const where = `${i}: ${entry.metric} ${entry.tokenize ?? ''} ${JSON.stringify(entry.args ?? {})}`
    return compareNested(compute(texts, entry), wanted, where)
  })
  return joinComparisons(parts)
}

async function readMetricCases(path: string): Promise<readonly Case[]> {
  const { cases } = await readJson<{ cases?: unknown }>(path)
  if (!Array.isArray(cases)) throw new TypeError(`${path}: expected { "cases": [...] }`)
  return cases as Case[]
}

/** Runs the references of metrics: cases without an id are known by their number in the file. */
export const runMetrics: AreaRunner = async (folder, { wants, onCase }) => {
  const results: CaseResult[] = []
  const names = (await readdir(folder)).filter((name) => name.endsWith('.json') && !name.startsWith('_')).sort()
  for (const name of names) {
    const stem = name.slice(0, -'.json'.length)
    for (const [i, record] of (await readMetricCases(join(folder, name))).entries()) {
      const id = record.id ?? String(i)
      if (!wants(stem, id)) continue
      const compare = record.kind === 'mt' ? compareTranslations : compareNamed
      const result = await runCase(`${stem}/${id}`, async () => compare(record))
      results.push(result)
      onCase?.(result)
    }
  }
  return results
}
