import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type AreaRunner, runCase } from './area.js'
import type { Comparison } from './compare.js'
import { type GoldenCase, GoldenTensors, readCases } from './golden.js'
import type { CaseResult } from './report.js'

/** Compares one case. `file` reads the tensors beside the JSON file, once; `cases` are all of the file, in order. */
export type CompareCase = (
  record: GoldenCase,
  file: () => Promise<GoldenTensors>,
  cases: readonly GoldenCase[],
) => Promise<Comparison>

/** Runs an area whose files differ in what they hold: for each file stem, how its cases are compared. */
export const runFiles =
  (files: Readonly<Record<string, CompareCase>>): AreaRunner =>
  async (folder, { wants, onCase }) => {
    const results: CaseResult[] = []
    for (const [stem, compare] of Object.entries(files)) {
      if (!existsSync(join(folder, `${stem}.json`))) continue
      let tensors: Promise<GoldenTensors> | null = null
      const file = (): Promise<GoldenTensors> => {
        tensors ??= GoldenTensors.read(folder, stem)
        return tensors
      }
      const cases = await readCases<GoldenCase>(folder, stem)
      for (const record of cases) {
        if (!wants(stem, record.id)) continue
        const result = await runCase(`${stem}/${record.id}`, () => compare(record, file, cases))
        results.push(result)
        onCase?.(result)
      }
    }
    return results
  }
