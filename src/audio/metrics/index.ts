/** Scores of transcripts, defined as in jiwer. */
export { type AlignmentChunk, alignSequences, type EditCounts } from './alignment.js'
export * from './word-error.js'
