/** Changed copies of texts, and mixtures of their embeddings, for training on little data. */
export * from './characters.js'
export * from './eda.js'
export * from './expand.js'
export * from './mixup.js'
export * from './synonyms.js'
export { type Cut, type Random, segmentWords, type Units, wordsOrCharacters } from './units.js'
