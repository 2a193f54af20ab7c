/** Losses of sentence encoders, as sentence-transformers has them. Embeddings [B, K, H]: K texts a row. */
import type { LossFunction } from '../../../nn/index.js'
import { crossEntropy } from '../../../tensor/functional/index.js'
import {
  add,
  arange,
  cat,
  constant,
  div,
  matmul,
  maximum,
  mul,
  sqrt,
  square,
  sub,
  sum,
  type Tensor,
} from '../../../tensor/index.js'
import type { EmbeddingLoss } from './schema.js'

const number = (value: number): Tensor => constant(value, 'f32')

/** The texts of one place in their rows [B, H]. */
const textsAt = (embeddings: Tensor, place: number): Tensor => embeddings.select(1, place)

/** Vectors of length 1 along the last dimension. */
export const unit = (x: Tensor): Tensor => div(x, maximum(sqrt(sum(square(x), -1, { keepdim: true })), number(1e-12)))

const cosine = (a: Tensor, b: Tensor): Tensor => sum(mul(unit(a), unit(b)), -1)

const DISTANCES: Readonly<Record<'euclidean' | 'cosine', (a: Tensor, b: Tensor) => Tensor>> = {
  // As torch's pairwise_distance: the small number keeps the root away from 0.
  euclidean: (a, b) => sqrt(sum(square(add(sub(a, b), number(1e-6))), -1)),
  cosine: (a, b) => sub(number(1), cosine(a, b)),
}

const above0 = (x: Tensor): Tensor => maximum(x, number(0))

type Losses = {
  readonly [T in EmbeddingLoss['type']]: (options: Extract<EmbeddingLoss, { type: T }>) => LossFunction
}

const LOSSES: Losses = {
  'cosine-similarity': () => (scores, embeddings) =>
    square(sub(cosine(textsAt(embeddings, 0), textsAt(embeddings, 1)), scores)),

  contrastive:
    ({ margin }) =>
    (near, embeddings) => {
      const distance = DISTANCES.cosine(textsAt(embeddings, 0), textsAt(embeddings, 1))
      const apart = mul(sub(number(1), near), square(above0(sub(number(margin), distance))))
      return mul(add(mul(near, square(distance)), apart), number(0.5))
    },

  'multiple-negatives-ranking':
    ({ scale }) =>
    (_scores, embeddings) => {
      const [rows, places] = embeddings.shape
      const vectors = unit(embeddings)
      const candidates = cat(
        Array.from({ length: places - 1 }, (_, i) => textsAt(vectors, i + 1)),
        0,
      )
      const logits = mul(matmul(textsAt(vectors, 0), candidates.transpose(0, 1)), number(scale))
      return crossEntropy(logits, arange(0, rows, 1, { dtype: 'i32' }), { reduction: 'none' })
    },

  triplet:
    ({ distance, margin }) =>
    (_scores, embeddings) => {
      const [anchor, near, far] = [0, 1, 2].map((place) => textsAt(embeddings, place))
      const gap = sub(DISTANCES[distance](anchor, near), DISTANCES[distance](anchor, far))
      return above0(add(gap, number(margin)))
    },
}

/** The loss of embeddings [B, K, H] with scores [B], one value a row. */
export const embeddingLoss = (options: EmbeddingLoss): LossFunction =>
  (LOSSES[options.type] as (options: EmbeddingLoss) => LossFunction)(options)
