export * from './index.js'
export { AutoTokenizer, loadGgufTokenizer, loadTokenizer, saveTokenizer } from './tokenizers/index.node.js'
