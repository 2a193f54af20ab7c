import { cast, constant, div, maximum, mul, reshape, sum, type Tensor, where } from '../../../tensor/index.js'
import type { SentenceEmbeddingRecipe } from './schema.js'

export type TrainedPooling = NonNullable<SentenceEmbeddingRecipe['pooling']>

/** Joins the states of tokens [N, T, H] to one vector a text [N, H]; `mask` [N, T] says which tokens count. */
type Pool = (states: Tensor, mask: Tensor) => Tensor

export const POOLS: { readonly [P in TrainedPooling]: Pool } = {
  mean: (states, mask) => {
    const [texts, tokens] = mask.shape
    const weights = reshape(cast(mask, states.dtype), [texts, tokens, 1])
    return div(sum(mul(states, weights), 1), maximum(sum(weights, 1), constant(1e-9, states.dtype)))
  },
  cls: (states) => states.select(1, 0),
  max: (states, mask) => {
    const [texts, tokens] = mask.shape
    const shown = reshape(mask.ne(0), [texts, tokens, 1])
    return where(shown, states, constant(-1e9, states.dtype)).amax(1)
  },
}
