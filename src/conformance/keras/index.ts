import { runFiles } from '../files.js'
import type { FitCase } from './fit.js'
import type { LayerCase } from './layers.js'
import { compareLoss, type LossCase } from './losses.js'
import { compareMetric, type MetricCase } from './metrics.js'

/** Keras' training runs, single layers, losses and metrics. */
export const runKeras = runFiles({
  fit: async (record, file) => (await import('./fit.js')).compareFit(record as FitCase, await file()),
  layers: async (record, file) => (await import('./layers.js')).compareLayer(record as LayerCase, await file()),
  losses: (record, _file, cases) => compareLoss(record as LossCase, cases as readonly LossCase[]),
  metrics: (record) => compareMetric(record as MetricCase),
})
