/** What turns text into numbers and back, and measures it; `index.node.ts` adds what reads files. */
export * from './augment/index.js'
export * from './chat/index.js'
export * from './tokenizers/index.js'
