export { AutoTokenizer, loadTokenizer } from './auto.node.js'
export * from './index.js'
