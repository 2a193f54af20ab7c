import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type AreaOptions, runCase } from '../area.js'
import type { Comparison } from '../compare.js'
import { type GoldenCase, GoldenTensors, readCases } from '../golden.js'
import type { CaseResult } from '../report.js'
import { type ClipCase, compareClipOrAverage } from './clip-ema.js'
import { compareSchedule, type ScheduleCase } from './schedules.js'
import { compareTrajectory, type OptimizerCase } from './trajectories.js'

type Compare = (record: GoldenCase, file: () => Promise<GoldenTensors>) => Promise<Comparison>

/** What each file of the area holds. */
const FILES: Readonly<Record<string, Compare>> = {
  torch: async (record, file) => compareTrajectory('torch', record as OptimizerCase, await file()),
  keras: async (record, file) => compareTrajectory('keras', record as OptimizerCase, await file()),
  schedules: async (record) => compareSchedule(record as ScheduleCase),
  clip_ema: async (record, file) => compareClipOrAverage(record as ClipCase, await file()),
}

/** Optimizer trajectories under fixed gradients, learning-rate schedules, clipping and averages. */
export async function runOptim(folder: string, { wants, onCase }: AreaOptions): Promise<CaseResult[]> {
  const results: CaseResult[] = []
  for (const [stem, compare] of Object.entries(FILES)) {
    if (!existsSync(join(folder, `${stem}.json`))) continue
    let tensors: Promise<GoldenTensors> | null = null
    const file = (): Promise<GoldenTensors> => {
      tensors ??= GoldenTensors.read(folder, stem)
      return tensors
    }
    for (const record of await readCases<GoldenCase>(folder, stem)) {
      if (!wants(stem, record.id)) continue
      const result = await runCase(`${stem}/${record.id}`, () => compare(record, file))
      results.push(result)
      onCase?.(result)
    }
  }
  return results
}
