export { evaluateGraph } from './evaluate.js'
export * as special from './special.js'
