import { Vocabulary } from '../models/model.js'
import { WordLevel } from '../models/word-level.js'
import { compareCodePoints, requireModel, specialTokensOf, type Trainer, type TrainerOptions } from './trainer.js'

export interface WordLevelTrainerOptions extends TrainerOptions {
  readonly minFrequency?: number
}

/** Takes the most frequent words; of those that are as frequent the first by code points. */
export const wordLevelTrainer = (options: WordLevelTrainerOptions = {}): Trainer => ({
  specialTokens: specialTokensOf(options),
  train(words, model) {
    const { vocabSize = 30_000, minFrequency = 0 } = options
    const before = requireModel<WordLevel>(model, 'WordLevel', 'wordLevelTrainer')
    const sorted = [...words]
      .filter(([, count]) => count >= minFrequency)
      .sort(([a, n], [b, m]) => m - n || compareCodePoints(a, b))
      .map(([word]) => word)
    const tokens = [...specialTokensOf(options).map(({ content }) => content), ...sorted].slice(0, vocabSize)
    return new WordLevel(new Vocabulary(tokens.map((token, id) => [token, id])), before.unkToken)
  },
})
