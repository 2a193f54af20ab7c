import type { torch } from '../../nn/index.js'
import { arange, asTensor, cumsum, ne, reshape, type Tensor, type TensorLike } from '../../tensor/index.js'
import type { ModelInputs } from '../pretrained/io.js'

/** Rows of an embedding as f32, whatever the table is stored in. */
export function embed(table: torch.Embedding, ids: TensorLike): Tensor {
  const rows = table.forward(ids)
  return rows.dtype === 'f16' || rows.dtype === 'bf16' ? rows.to('f32') : rows
}

/** Vectors of the tokens [B, T, H] from ids or as they were given. @throws TypeError unless exactly one of the two is there */
export function tokenVectors(table: torch.Embedding, { input_ids: ids, inputs_embeds: vectors }: ModelInputs): Tensor {
  const [hasIds, hasVectors] = [ids !== null && ids !== undefined, vectors !== null && vectors !== undefined]
  if (hasIds === hasVectors) throw new TypeError('give either input_ids or inputs_embeds')
  return hasVectors ? asTensor(vectors as TensorLike) : embed(table, ids as TensorLike)
}

/** 0 to tokens - 1 (+ start), [1, T]. */
export const positionsFrom = (tokens: number, start = 0): Tensor =>
  arange(start, start + tokens, 1, { dtype: 'i32' }).unsqueeze(0)

/** Positions of RoBERTa's kind: padding stays at `padding`, other tokens count on from there. */
export function positionsFromIds(ids: TensorLike, padding: number): Tensor {
  const real = ne(asTensor(ids), padding).to('i32')
  return cumsum(real, 1).mul(real).add(padding)
}

/** @throws RangeError for more tokens than there are positions: cutting silently would change the answer */
export function checkLength(tokens: number, limit: number): void {
  if (tokens > limit)
    throw new RangeError(`the model sees ${limit} tokens (max_position_embeddings), got ${tokens}; truncate the text`)
}

const CHOICES = ['input_ids', 'attention_mask', 'token_type_ids', 'position_ids', 'inputs_embeds'] as const

/** Inputs [B, C, T] as [B * C, T]. */
export function flattenChoices(inputs: ModelInputs): { readonly choices: number; readonly flat: ModelInputs } {
  const lead = inputs.input_ids ?? inputs.inputs_embeds
  if (lead === null || lead === undefined) throw new TypeError('give either input_ids or inputs_embeds')
  const choices = asTensor(lead).shape[1]
  const flat: Record<string, unknown> = { ...inputs }
  for (const name of CHOICES) {
    const value = inputs[name]
    if (value === null || value === undefined) continue
    const given = asTensor(value)
    flat[name] = reshape(given, [-1, ...given.shape.slice(2)])
  }
  return { choices, flat }
}
