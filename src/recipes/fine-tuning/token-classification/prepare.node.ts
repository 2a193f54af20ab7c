import { DataError } from '../../../data/index.js'
import { show } from '../../../formats/strict-json.js'
import { AutoModelForTokenClassification } from '../../../models/index.node.js'
import { labelsOf, type TextModel } from '../../../tasks/text-model.js'
import type { DataArray } from '../../../tensor/index.js'
import { entityScores, tagAccuracy } from '../../../text/metrics/index.js'
import type { Encoding, InputSequence } from '../../../text/tokenizers/index.js'
import type { Logs } from '../../../train/index.js'
import type { Job } from '../../job.js'
import type { DataFiles } from '../../paths.node.js'
import { Checkpoint, type TuningOptions } from '../checkpoint.node.js'
import { packingFor, tuningJob } from '../job.node.js'
import { IGNORED, maskedClassLoss } from '../loss.js'
import { loadParts } from '../parts.node.js'
import { EncodedSource, padInts, type Tokens } from '../source.js'
import { readTagged, type TaggedSentence } from './conll.node.js'
import type { TokenClassificationRecipe } from './schema.js'

/** A sentence as tokens; the first token of each word has the word's class, all others none. */
interface Row extends Tokens {
  readonly classes: readonly number[]
  readonly tags: readonly string[]
  /** The first token of each word; -1 for words that have none, or were cut off. */
  readonly firsts: readonly number[]
}

/** The tags met: O first, the others in the order of the alphabet. */
const tagsMet = (sentences: readonly TaggedSentence[]): string[] => {
  const names = [...new Set(sentences.flatMap(({ tags }) => tags))].sort()
  return names.includes('O') ? ['O', ...names.filter((name) => name !== 'O')] : names
}

function checkTags(sentences: readonly TaggedSentence[], labels: readonly string[]): void {
  const known = new Set(labels)
  for (const { tags, where } of sentences) {
    const unknown = tags.find((tag) => !known.has(tag))
    if (unknown !== undefined)
      throw new DataError(
        `${where}: expected a tag of ${labels.map((label) => show(label)).join(', ')}, got ${show(unknown)}`,
      )
  }
}

/** Gives words' classes to their first tokens. */
function aligned({ ids, typeIds, wordIds }: Encoding, tags: readonly string[], labels: readonly string[]): Row {
  const firsts = new Array<number>(tags.length).fill(-1)
  for (const [token, word] of wordIds.entries()) if (word !== null && firsts[word] < 0) firsts[word] = token
  const classes = new Array<number>(ids.length).fill(IGNORED)
  for (const [word, token] of firsts.entries()) if (token >= 0) classes[token] = labels.indexOf(tags[word])
  return { ids, typeIds, classes, tags, firsts }
}

/** The likeliest class of each word of a row, whose logits are [T, L]. Words that the model did not see are outside of entities. */
function predictedTags({ firsts }: Row, logits: DataArray, labels: readonly string[]): string[] {
  const unseen = labels.includes('O') ? 'O' : labels[0]
  return firsts.map((token) => {
    if (token < 0) return unseen
    const at = token * labels.length
    return labels[labels.reduce((best, _, i) => (logits[at + i] > logits[at + best] ? i : best), 0)]
  })
}

/** Entity scores as conlleval and seqeval have them; the share of equal tags where there are no entities. */
function scoresOf(rows: readonly Row[], outputs: readonly DataArray[], labels: readonly string[]): Logs {
  const truth = rows.map(({ tags }) => tags)
  const guess = rows.map((row, i) => predictedTags(row, outputs[i], labels))
  const { precision, recall, 'f1-score': f1 } = entityScores(truth, guess)
  return { precision, recall, f1, accuracy: tagAccuracy(truth, guess) }
}

/** Sentences that are looked at for how texts are cut. */
const SAMPLES = 200

/**
 * A remark where plain texts become other tokens than lists of words, as with pieces of several Chinese characters: the model knows the
 * latter.
 */
function cutRemarks(sentences: readonly TaggedSentence[], delimiter: string, { tokenizer }: TextModel): string[] {
  const ids = (input: InputSequence): string =>
    tokenizer.backend.encode(input, null, { truncation: null, padding: null }).ids.join()
  const samples = sentences.slice(0, SAMPLES)
  const differ = samples.filter(({ words }) => ids(words) !== ids(words.join(delimiter))).length
  return differ > samples.length / 10
    ? [`${differ} of ${samples.length} sentences are cut otherwise as plain texts: give the pipeline lists of words`]
    : []
}

export async function prepareTokenClassification(
  recipe: TokenClassificationRecipe,
  files: DataFiles,
  options: TuningOptions,
): Promise<Job> {
  const { data, maxLength, truncation, labelSmoothing } = recipe
  const checkpoint = await Checkpoint.open(recipe, options)
  const auto = AutoModelForTokenClassification
  const tuned = checkpoint.tuned ? await checkpoint.load(auto) : null
  let labels = tuned ? labelsOf(tuned.model) : data.labels
  const rows = await loadParts(data, files, {
    async read(file, path) {
      const sentences = await readTagged(file, path, options.signal)
      labels ??= tagsMet(sentences)
      checkTags(sentences, labels)
      return sentences
    },
    key: ({ words }) => words.join(data.delimiter),
  })
  const names = labels ?? []
  if (names.length < 2)
    throw new DataError(`${data.train.path}: expected at least 2 tags, the data has ${names.length}`)
  const text = tuned ?? (await checkpoint.load(auto, { labels: names }))
  const packing = packingFor(recipe, text)
  const targets = (batch: readonly Row[], length: number) =>
    padInts(
      batch.map(({ classes }) => classes),
      length,
      IGNORED,
    )
  return tuningJob<TaggedSentence, Row>({
    recipe,
    checkpoint,
    text,
    rows,
    unit: 'sentences',
    encode: ({ words, tags, where: place }, where) =>
      aligned(text.encode(words, null, { maxLength, truncation }, `${where} (${place})`), tags, names),
    source: (batch, buckets) => new EncodedSource(batch, packing, targets, buckets),
    objective: { loss: maskedClassLoss(labelSmoothing), metrics: [] },
    metricNames: [],
    scores: {
      names: ['precision', 'recall', 'f1', 'accuracy'],
      score: (part, outputs) => scoresOf(part, outputs, names),
    },
    limits: [`Tags: ${names.join(', ')}.`],
    remarks: cutRemarks(rows.train, data.delimiter, text),
  })
}
