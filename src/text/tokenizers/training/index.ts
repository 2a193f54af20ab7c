/** Training of tokenizers' models; see {@link Tokenizer.train}. */
export { type BpeTrainerOptions, bpeTrainer, wordPieceTrainer } from './bpe.js'
export type { Trainer, TrainerOptions } from './trainer.js'
export { type UnigramTrainerOptions, unigramTrainer } from './unigram.js'
export { type WordLevelTrainerOptions, wordLevelTrainer } from './word-level.js'
