import { z } from 'zod'
import { DataError } from '../../../data/index.js'
import { readTextFile } from '../../../formats/index.node.js'
import { show } from '../../../formats/strict-json.js'

const squadSchema = z.object({
  data: z.array(
    z.object({
      paragraphs: z.array(
        z.object({
          context: z.string(),
          qas: z.array(
            z.object({
              id: z.union([z.string(), z.number()]).optional(),
              question: z.string(),
              answers: z.array(z.object({ text: z.string(), answer_start: z.int() })).default([]),
              is_impossible: z.boolean().default(false),
            }),
          ),
        }),
      ),
    }),
  ),
})

/** Where an answer stands: `context.slice(start, end)`. */
export interface Span {
  readonly start: number
  readonly end: number
}

export interface AskedQuestion {
  readonly question: string
  readonly context: string
  /** Right answers; none where the text does not say. */
  readonly answers: readonly string[]
  /** The first answer that stands in the text; null where the text does not say, undefined where its place is not known. */
  readonly span: Span | null | undefined
  /** File and question. */
  readonly where: string
}

/** Places of files count code points. @throws DataError where an answer does not stand at its place */
function spanOf(
  context: string,
  { text, answer_start: at }: { text: string; answer_start: number },
  where: string,
): Span {
  const points = /[\ud800-\udfff]/.test(context) ? Array.from(context).slice(0, at).join('').length : at
  const end = points + text.length
  if (context.slice(points, end) !== text)
    throw new DataError(
      `${where}: expected the answer ${show(text)} at character ${at} of its context, found ${show(context.slice(points, end))}`,
    )
  return { start: points, end }
}

/**
 * The questions of a file in SQuAD's format. Answers with the place -1 are right, but not learned from.
 * @throws DataError that names the file and the question at fault, FileError where it cannot be read
 */
export async function readSquad(path: string, signal?: AbortSignal): Promise<AskedQuestion[]> {
  const text = await readTextFile(path, { signal })
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    throw new DataError(`${path}: not valid JSON (${(error as Error).message})`)
  }
  const parsed = squadSchema.safeParse(json)
  if (!parsed.success) {
    const [{ path: field, message }] = parsed.error.issues
    throw new DataError(`${path}: not in SQuAD's format: ${field.join('.') || 'the file'}: ${message}`)
  }
  return parsed.data.data.flatMap(({ paragraphs }, d) =>
    paragraphs.flatMap(({ context, qas }, p) =>
      qas.map(({ id, question, answers, is_impossible: impossible }, q): AskedQuestion => {
        const where = `${path} data.${d}.paragraphs.${p}.qas.${q}${id === undefined ? '' : ` (${id})`}`
        if (question.trim() === '' || context.trim() === '')
          throw new DataError(`${where}: the ${question.trim() === '' ? 'question' : 'context'} is empty`)
        const none = impossible || answers.length === 0
        const placed = answers.find(({ answer_start: at, text: words }) => at >= 0 && words !== '')
        const span = none ? null : placed && spanOf(context, placed, where)
        return { question, context, answers: none ? [] : answers.map((answer) => answer.text), span, where }
      }),
    ),
  )
}
