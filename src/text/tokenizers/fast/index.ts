import type { Tokenizer } from '../tokenizer.js'

/** Ids of a text without tokens and offsets, equal to those of the exact path. */
export interface FastEncoder {
  encode(text: string): number[]
}

/** A quick encoder for kinds of tokenizers that have one; null for others. */
export function compileFast(_tokenizer: Tokenizer): FastEncoder | null {
  return null
}
