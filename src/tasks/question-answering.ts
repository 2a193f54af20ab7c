import { type Answer, type AnswerOptions, answersIn, answerWindows, bestAnswers, type Question } from './answers.js'
import type { TextModel } from './text-model.js'
import { checkCount, inputName } from './types.js'

export type { Answer, AnswerOptions, Question } from './answers.js'

/** Finds answers in texts. */
export interface QuestionAnswerer {
  readonly task: 'question-answering'
  readonly model: string
  /** Answers, best first. Long contexts are read in windows. @throws RangeError for a question that leaves no room for the context */
  (question: Question, options?: AnswerOptions): Promise<Answer[]>
  (questions: readonly Question[], options?: AnswerOptions): Promise<Answer[][]>
}

export function questionAnswerer(text: TextModel): QuestionAnswerer {
  const { name } = text
  const read = text.reader('question-answering', ({ start_logits: starts, end_logits: ends }) => ({ starts, ends }))

  async function answerAll(questions: readonly Question[], options: AnswerOptions): Promise<Answer[][]> {
    const topK = checkCount('topK', options.topK ?? 1)
    checkCount('maxAnswerLength', options.maxAnswerLength ?? 15)
    const windows = questions.map((question, i) =>
      answerWindows(text, question, options, inputName(i, questions.length)),
    )
    const outputs = await read(windows.flat(), options)
    let at = 0
    return questions.map(({ context }, i) => {
      const found = windows[i].map((window) => {
        const { starts, ends } = outputs[at++]
        return answersIn(window, context, [starts.data, ends.data], {
          ...options,
          clsTokenId: text.tokenizer.clsTokenId,
        })
      })
      return bestAnswers(found, { ...options, topK })
    })
  }

  const answer = async (input: Question | readonly Question[], options: AnswerOptions = {}) =>
    Array.isArray(input) ? answerAll(input, options) : (await answerAll([input as Question], options))[0]
  return Object.assign(answer as QuestionAnswerer, { task: 'question-answering' as const, model: name })
}
