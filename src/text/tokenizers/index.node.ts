export { AutoTokenizer, loadTokenizer, saveTokenizer } from './auto.node.js'
export * from './index.js'
