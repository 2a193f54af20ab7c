import { runFiles } from '../files.js'
import { type ClipCase, compareClipOrAverage } from './clip-ema.js'
import { compareSchedule, type ScheduleCase } from './schedules.js'
import { compareTrajectory, type OptimizerCase } from './trajectories.js'

/** Optimizer trajectories under fixed gradients, learning-rate schedules, clipping and averages. */
export const runOptim = runFiles({
  torch: async (record, file) => compareTrajectory('torch', record as OptimizerCase, await file()),
  keras: async (record, file) => compareTrajectory('keras', record as OptimizerCase, await file()),
  schedules: async (record) => compareSchedule(record as ScheduleCase),
  clip_ema: async (record, file) => compareClipOrAverage(record as ClipCase, await file()),
})
