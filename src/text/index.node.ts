export * from './index.js'
export { AutoTokenizer, loadTokenizer, saveTokenizer } from './tokenizers/index.node.js'
