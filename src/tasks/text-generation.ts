import type { GenerationOptions } from '../generate/index.js'
import type { ChatMessage } from '../text/chat/index.js'

export interface GenerateOptions {
  /** Characters (models of characters) or tokens to write at most. Default 200 characters, or as the checkpoint says. */
  readonly maxLength?: number
  /** Below 1 sharper, above 1 flatter; 0 takes the most probable every time. Default 1, or as the checkpoint says. */
  readonly temperature?: number
  /** Draws among the so many most probable only. Default: among all, or as the checkpoint says. */
  readonly topK?: number
  /** The same seed writes the same text. Default 0; published checkpoints draw from the process's stream unless a seed is given. */
  readonly seed?: number
  /** Ends the text where one of these has been written; it is not part of the result. */
  readonly stop?: string | readonly string[]
  /** Published checkpoints: fields of `generation_config.json`, such as `num_beams`, `top_p`, `repetition_penalty`. */
  readonly settings?: GenerationOptions
  /** Published checkpoints: drops the start of prompts that leave no room for what is to be written. Default false: an error. */
  readonly truncation?: boolean
  /** Published checkpoints: also gives the ids of tokens. Default false. */
  readonly returnTokens?: boolean
  /** Published checkpoints, conversations: what the chat template knows besides messages. */
  readonly tools?: readonly unknown[] | null
  readonly documents?: readonly unknown[] | null
  readonly signal?: AbortSignal
  /** Hears what is written as it is written. */
  readonly onText?: (text: string) => void
}

export interface Generation {
  /** What was written, without the prompt. */
  readonly text: string
  readonly prompt: string
  /** Why it ended. */
  readonly finish: 'length' | 'stop'
  /** Further texts where the settings ask for several (`num_return_sequences`). */
  readonly others?: readonly string[]
  /** Ids of every text, prompt included, where asked for. */
  readonly tokens?: readonly (readonly number[])[]
  readonly model: string
}

/** Continues texts. */
export interface TextGenerator {
  readonly task: 'text-generation'
  readonly model: string
  /**
   * @param prompt a text or, for checkpoints with a chat template, a conversation: the next message of the assistant is written, or its
   * last one continued
   */
  (prompt: string | readonly ChatMessage[], options?: GenerateOptions): Promise<Generation>
}

/** Texts to stop at. */
export const stopsOf = ({ stop }: GenerateOptions): string[] =>
  (typeof stop === 'string' ? [stop] : [...(stop ?? [])]).filter((text) => text !== '')
