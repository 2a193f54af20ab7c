import { DataError } from '../../../data/index.js'
import { AutoModelForQuestionAnswering } from '../../../models/index.node.js'
import { answersIn, answerWindows, bestAnswers } from '../../../tasks/answers.js'
import type { TextModel } from '../../../tasks/text-model.js'
import { type DataArray, stack, tensor } from '../../../tensor/index.js'
import { answerScores } from '../../../text/metrics/index.js'
import type { Encoding } from '../../../text/tokenizers/index.js'
import type { Logs } from '../../../train/index.js'
import type { Job } from '../../job.js'
import type { DataFiles } from '../../paths.node.js'
import { Checkpoint, type TuningOptions } from '../checkpoint.node.js'
import { packingFor, tuningJob } from '../job.node.js'
import { IGNORED, maskedClassLoss } from '../loss.js'
import { FineTunedModel, type ReadOutput } from '../model.js'
import { loadParts } from '../parts.node.js'
import { EncodedSource, type Tokens } from '../source.js'
import { type AskedQuestion, readSquad, type Span } from './data.node.js'
import type { QuestionAnsweringRecipe } from './schema.js'

/** A window over the text of a question, and the tokens between which the answer lies. */
interface Row extends Tokens {
  readonly asked: AskedQuestion
  readonly target: readonly [start: number, end: number]
}

/** The tokens of an answer; the first token of the window where the window does not hold all of it. */
function tokensOf({ start, end }: Span, { offsets, sequenceIds }: Encoding, cls: number): readonly [number, number] {
  const places = [...sequenceIds.keys()].filter((i) => sequenceIds[i] === 1)
  const first = places.findLast((i) => offsets[i][0] <= start)
  const last = places.find((i) => offsets[i][1] >= end)
  return first === undefined || last === undefined || last < first ? [cls, cls] : [first, last]
}

function targetOf({ span }: AskedQuestion, window: Encoding, clsTokenId: number | null): Row['target'] {
  const cls = Math.max(0, clsTokenId === null ? 0 : window.ids.indexOf(clsTokenId))
  if (span === undefined) return [IGNORED, IGNORED]
  return span === null ? [cls, cls] : tokensOf(span, window, cls)
}

/** Logits of starts and ends [B, 2, T]. */
const spanLogits: ReadOutput = ({ start_logits: starts, end_logits: ends }) => {
  if (!starts || !ends) throw new TypeError('the model gives no start_logits and end_logits')
  return stack([starts, ends], 1)
}

/** Answers as the pipeline finds them, scored as SQuAD does. */
function scoresOf(
  rows: readonly Row[],
  outputs: readonly DataArray[],
  windowsOf: (asked: AskedQuestion) => readonly Encoding[],
  { text, recipe }: { readonly text: TextModel; readonly recipe: QuestionAnsweringRecipe },
): Logs {
  const byQuestion = new Map<AskedQuestion, Float32Array[]>()
  for (const [i, { asked }] of rows.entries()) {
    const logits = outputs[i] as Float32Array
    const known = byQuestion.get(asked)
    if (known) known.push(logits)
    else byQuestion.set(asked, [logits])
  }
  const { maxAnswerLength, impossibleAnswers: handleImpossibleAnswer } = recipe
  const options = { maxAnswerLength, handleImpossibleAnswer, clsTokenId: text.tokenizer.clsTokenId }
  const answers = [...byQuestion].map(([asked, logits]) => {
    const found = windowsOf(asked).map((window, w) => {
      const half = logits[w].length / 2
      return answersIn(window, asked.context, [logits[w].subarray(0, half), logits[w].subarray(half)], options)
    })
    return bestAnswers(found, options)[0]?.answer ?? ''
  })
  const references = [...byQuestion.keys()].map((asked) => asked.answers)
  return { ...answerScores(answers, references) }
}

export async function prepareQuestionAnswering(
  recipe: QuestionAnsweringRecipe,
  files: DataFiles,
  options: TuningOptions,
): Promise<Job> {
  const checkpoint = await Checkpoint.open(recipe, options)
  const rows = await loadParts(recipe.data, files, {
    async read({ path }) {
      const questions = await readSquad(path, options.signal)
      const impossible = questions.find(({ span }) => span === null)
      if (impossible && !recipe.impossibleAnswers)
        throw new DataError(
          `${impossible.where}: has no answer; set "impossibleAnswers": true to learn from such questions`,
        )
      return questions
    },
    key: ({ context }) => context,
  })
  const text = await checkpoint.load(AutoModelForQuestionAnswering)
  const packing = packingFor(recipe, text)
  const { maxLength, stride, data } = recipe
  const windowsOf = (asked: AskedQuestion, where: string) => answerWindows(text, asked, { maxLength, stride }, where)
  const unplaced = rows.train.filter(({ span }) => span === undefined).length
  if (unplaced === rows.train.length) throw new DataError(`${data.train.path}: no answer stands in its context`)
  return tuningJob<AskedQuestion, Row>({
    recipe,
    checkpoint,
    text,
    rows,
    unit: 'questions',
    encode: (asked, where) =>
      windowsOf(asked, `${where} (${asked.where})`).map((window) => ({
        ids: window.ids,
        typeIds: window.typeIds,
        asked,
        target: targetOf(asked, window, text.tokenizer.clsTokenId),
      })),
    source: (batch, buckets) =>
      new EncodedSource(
        batch,
        packing,
        (part) => tensor(Int32Array.from(part.flatMap(({ target }) => target)), { shape: [part.length, 2] }),
        buckets,
      ),
    model: new FineTunedModel(text.model, packing.inputs, spanLogits),
    objective: { loss: maskedClassLoss(0), metrics: [] },
    metricNames: [],
    scores: {
      names: ['exactMatch', 'f1'],
      score: (part, outputs) => scoresOf(part, outputs, (asked) => windowsOf(asked, asked.where), { text, recipe }),
    },
    limits: [`Finds answers that stand in a text, read in windows of ${maxLength} tokens.`],
    remarks: unplaced > 0 ? [`training questions without the place of an answer, not learned from: ${unplaced}`] : [],
  })
}
