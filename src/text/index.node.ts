export { AutoTokenizer, loadTokenizer } from './tokenizers/index.node.js'
export * from './index.js'
