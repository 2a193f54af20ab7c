import { KeyValueCache, type ModelInputs, type PreTrainedModel } from '../models/index.js'
import { asTensor, jit, type Tensor, type TensorLike, tensor } from '../tensor/index.js'

/** Scores of the next token for rows of tokens, one step after the other. */
export interface StepDecoder {
  /** Tokens of each row before the first new one. */
  readonly prompt: readonly (readonly number[])[]
  /** Scores [rows][V] after the prompt. */
  start(): Promise<Float32Array[]>
  /** Scores after one more token a row. `from[i]` is the row that row i goes on from. */
  next(tokens: readonly number[], from?: readonly number[]): Promise<Float32Array[]>
}

/** Rows of integers of a tensor or arrays. */
export async function rowsOf(ids: TensorLike): Promise<number[][]> {
  const given = asTensor(ids)
  const data = await given.data()
  const [rows, width] = given.shape
  return Array.from({ length: rows }, (_, i) => Array.from({ length: width }, (_, j) => Number(data[i * width + j])))
}

const idTensor = (rows: readonly (readonly number[])[]): Tensor =>
  tensor(Int32Array.from(rows.flat()), { shape: [rows.length, rows[0].length] })

async function splitRows(scores: Tensor): Promise<Float32Array[]> {
  const data = (await scores.data()) as Float32Array
  const [rows, width] = scores.shape
  return Array.from({ length: rows }, (_, i) => data.slice(i * width, (i + 1) * width))
}

/** Positions that skip padding on the left, which stays at 1 as in the reference. */
function positionsOf(mask: readonly (readonly number[])[]): number[][] {
  return mask.map((row) => {
    let place = -1
    return row.map((kept) => {
      if (!kept) return 1
      place++
      return place
    })
  })
}

/** What sets a kind of model apart: how its inputs are named, and what its first step needs. */
export interface DecoderPlan {
  readonly prompt: readonly (readonly number[])[]
  /** 1 where a token counts. */
  readonly mask: readonly (readonly number[])[]
  /** Inputs of a step from its tokens, positions and mask. */
  inputs(step: { ids: Tensor; positions: Tensor; mask: Tensor; cache: KeyValueCache | null }): ModelInputs
  readonly newTokens: number
  /** Steps of the encoder's states. */
  readonly sources?: number
}

/** The decoder that fits a model. @throws TypeError for one that generates no text */
export function stepDecoder(model: PreTrainedModel, plan: DecoderPlan): StepDecoder {
  if (!model.generates) throw new TypeError(`${model.constructor.name} does not generate text`)
  return model.cacheShapes() ? cachedDecoder(model, plan) : wholeTextDecoder(model, plan)
}

/** Decoding that reads the whole text at every step, padded to its final length: one program for all steps. */
function wholeTextDecoder(model: PreTrainedModel, plan: DecoderPlan): StepDecoder {
  const stretched = (row: readonly number[], by: number): number[] => [
    ...row,
    ...new Array<number>(plan.newTokens).fill(by),
  ]
  const run = jit(
    (ids: Tensor, positions: Tensor, mask: Tensor, last: Tensor) => {
      const { logits } = model.forward(plan.inputs({ ids, positions, mask, cache: null }))
      if (!logits) throw new TypeError(`${model.constructor.name} gives no logits`)
      return logits.indexSelect(1, last).squeeze(1)
    },
    { name: `${model.constructor.name}.generate` },
  )
  const masks = plan.mask.map((row) => stretched(row, 1))
  const mask = idTensor(masks)
  const positions = idTensor(positionsOf(masks))
  let texts = plan.prompt.map((row) => stretched(row, 0))
  let length = plan.prompt[0].length
  const scores = (): Promise<Float32Array[]> =>
    splitRows(run(idTensor(texts), positions, mask, tensor(Int32Array.of(length - 1))))
  return {
    prompt: plan.prompt,
    start: scores,
    next: (tokens, from) => {
      texts = tokens.map((token, i) => {
        const row = [...texts[from ? from[i] : i]]
        row[length] = token
        return row
      })
      length++
      return scores()
    },
  }
}

/** Decoding with keys and values kept between steps: two programs, one for the prompt and one for single tokens. */
function cachedDecoder(model: PreTrainedModel, plan: DecoderPlan): StepDecoder {
  const shapes = model.cacheShapes()
  if (!shapes) throw new TypeError(`${model.constructor.name} does not generate text`)
  const rows = plan.prompt.length
  const length = plan.prompt[0].length
  const capacity = length + plan.newTokens
  const cache = new KeyValueCache(shapes, rows, capacity, plan.sources)
  const run = jit(
    (ids: Tensor, positions: Tensor, mask: Tensor, from: Tensor | null) => {
      if (from) cache.reorder(from)
      const { logits } = model.forward(plan.inputs({ ids, positions, mask, cache }))
      if (!logits) throw new TypeError(`${model.constructor.name} gives no logits`)
      return logits.select(1, -1)
    },
    { name: `${model.constructor.name}.generate` },
  )
  // Padding of the prompt stays hidden; what is still to come is hidden by causality.
  const mask = idTensor(plan.mask.map((row) => [...row, ...new Array<number>(plan.newTokens).fill(1)]))
  const places = positionsOf(plan.mask).map((row) => row.slice())
  let next = plan.mask.map((row) => row.reduce((sum, kept) => sum + kept, 0))
  return {
    prompt: plan.prompt,
    start: () => {
      const scores = run(idTensor(plan.prompt), idTensor(places), mask, null)
      cache.crossIsKnown()
      return splitRows(scores)
    },
    next: (tokens, from) => {
      const order = from ? tensor(Int32Array.from(from)) : null
      if (from) next = from.map((row) => next[row])
      const positions = idTensor(next.map((place) => [place]))
      next = next.map((place) => place + 1)
      return splitRows(run(idTensor(tokens.map((token) => [token])), positions, mask, order))
    },
  }
}
