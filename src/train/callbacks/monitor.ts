import type { Logs } from '../history.js'

export type MonitorMode = 'auto' | 'min' | 'max'

const RISING = [
  'acc',
  'auc',
  'precision',
  'recall',
  'f1',
  'fbeta',
  'r2',
  'iou',
  'positives',
  'bleu',
  'spearman',
  'exact',
]

/** Which way a monitored value improves: by its name where `mode` is auto. */
export function improves(
  mode: MonitorMode,
  monitor: string,
): (current: number, best: number, minDelta: number) => boolean {
  const rising = mode === 'max' || (mode === 'auto' && RISING.some((part) => monitor.toLowerCase().includes(part)))
  return rising
    ? (current, best, minDelta) => current - minDelta > best
    : (current, best, minDelta) => current + minDelta < best
}

/** @throws Error naming the monitor and what there is. */
export function monitored(callback: string, logs: Readonly<Logs>, monitor: string): number {
  const value = logs[monitor]
  if (value === undefined) {
    throw new Error(
      `${callback} monitors '${monitor}', which this run does not log; logged: ${Object.keys(logs).join(', ')}`,
    )
  }
  return value
}
