export {
  type BackendCase,
  type BackendConformanceOptions,
  type BackendFailure,
  type BackendReport,
  backendCases,
  runBackendConformance,
} from './run.js'
