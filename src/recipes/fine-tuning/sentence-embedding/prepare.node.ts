import { DataError } from '../../../data/index.js'
import { AutoModel, type PreTrainedModel } from '../../../models/index.node.js'
import { type SentenceSettings, sentenceSettings } from '../../../tasks/open.node.js'
import { asTensor, permute, reshape } from '../../../tensor/index.js'
import type { Job } from '../../job.js'
import type { DataFiles } from '../../paths.node.js'
import { Checkpoint, type TuningOptions } from '../checkpoint.node.js'
import { packingFor, tuningJob } from '../job.node.js'
import { FineTunedModel, type ReadOutput } from '../model.js'
import { loadParts, type PartRows } from '../parts.node.js'
import { type ComparedTexts, readCompared } from './data.node.js'
import { writeSentenceLayout } from './layout.node.js'
import { embeddingLoss } from './loss.js'
import { POOLS, type TrainedPooling } from './pooling.js'
import type { SentenceEmbeddingRecipe } from './schema.js'
import { embeddingScores, SCORE_NAMES } from './scores.js'
import { ComparedSource, type EncodedTexts } from './source.js'

/** Vectors [B, K, H] of the texts of a batch, which come [K B, T]. */
const vectorsOf =
  (pooling: TrainedPooling, places: number): ReadOutput =>
  ({ last_hidden_state: states }, { attention_mask: mask }) => {
    if (!states || !mask) throw new TypeError('the model gives no states of tokens')
    const pooled = POOLS[pooling](states, asTensor(mask))
    return permute(reshape(pooled, [places, -1, states.shape[2]]), [1, 0, 2])
  }

/** The layer above the first token, which no vector is made of, stays as it is. */
function freezePooler(model: PreTrainedModel): void {
  for (const { name, parameter } of model.namedParameters())
    if (/(^|\.)pooler\./.test(name)) parameter.trainable = false
}

/** Texts of a row: one number for all parts. @throws DataError where they differ */
function placesOf(rows: PartRows<ComparedTexts>): number {
  const places = rows.train[0].texts.length
  for (const part of [rows.validation, rows.test])
    if (part.length > 0 && part[0].texts.length !== places)
      throw new DataError(`expected ${places} texts a row in all files, found ${part[0].texts.length}`)
  return places
}

/** Tokens of a text: those of the recipe, else those that the encoder was made for. */
const lengthOf = ({ maxLength }: SentenceEmbeddingRecipe, own: SentenceSettings, limit: number | null): number | null =>
  maxLength ?? (own.maxLength !== undefined && (limit === null || own.maxLength <= limit) ? own.maxLength : limit)

export async function prepareSentenceEmbedding(
  recipe: SentenceEmbeddingRecipe,
  files: DataFiles,
  options: TuningOptions,
): Promise<Job> {
  const { signal } = options
  const checkpoint = await Checkpoint.open(recipe, options)
  const rows = await loadParts(recipe.data, files, {
    read: (file, path) => readCompared(file, path, recipe, signal),
    key: ({ texts }) => texts[0],
  })
  const own = await sentenceSettings(checkpoint.found, { signal })
  const text = await checkpoint.load(AutoModel)
  freezePooler(text.model)
  const pooling = recipe.pooling ?? own.pooling ?? 'mean'
  const packing = packingFor(recipe, text)
  const { truncation } = recipe
  const maxLength = lengthOf(recipe, own, text.limit) ?? undefined
  const scored = rows.validation.length > 0 && rows.validation.every(({ score }) => score !== null)
  const { hidden_size: width } = text.model.config as { readonly hidden_size?: number }
  return tuningJob<ComparedTexts, EncodedTexts>({
    recipe,
    checkpoint,
    text,
    rows,
    unit: 'texts',
    encode: ({ texts, score }, where) => ({
      texts: texts.map((one) => {
        const { ids, typeIds } = text.encode(one, null, { maxLength, truncation }, where)
        return { ids, typeIds }
      }),
      score,
    }),
    source: (part, buckets) => new ComparedSource(part, packing, buckets),
    model: new FineTunedModel(text.model, packing.inputs, vectorsOf(pooling, placesOf(rows))),
    objective: { loss: embeddingLoss(recipe.loss), metrics: [] },
    metricNames: [],
    scores: { names: SCORE_NAMES[scored ? 'scored' : 'unscored'], score: embeddingScores },
    maxLength,
    limits: [`Vectors: the ${pooling} of the states of tokens, scaled to length 1.`],
    write: (folder) =>
      writeSentenceLayout(folder, {
        pooling,
        width: width ?? (text.model.config as unknown as { dim: number }).dim,
        maxLength: maxLength ?? null,
      }),
  })
}
