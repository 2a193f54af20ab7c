export { AutoTokenizer, loadGgufTokenizer, loadTokenizer, saveTokenizer } from './auto.node.js'
export * from './index.js'
