/** Scores of predictions on the host: classification, regression, ranking, clustering, texts, transcripts, detections. */
export * from './audio/metrics/index.js'
export * from './text/metrics/index.js'
export * from './train/metrics/evaluation/index.js'
export * from './vision/metrics/index.js'
