import type { GenerationOptions } from '../generate/index.js'
import { tensor } from '../tensor/index.js'
import type { ChatMessage } from '../text/chat/index.js'
import type { GenerateOptions, Generation, TextGenerator } from './text-generation.js'
import type { TextModel } from './text-model.js'
import { newTokens, settingsOf, write } from './writing.js'

/** A prompt as text, and whether special tokens are to be added to it: a chat template writes its own. */
interface Prompt {
  readonly text: string
  readonly addSpecialTokens: boolean
}

/** A conversation that ends with the assistant's message is one to go on with, as in transformers. */
function promptOf({ tokenizer }: TextModel, given: string | readonly ChatMessage[], options: GenerateOptions): Prompt {
  if (typeof given === 'string') return { text: given, addSpecialTokens: true }
  const continues = given[given.length - 1]?.role === 'assistant'
  const { tools = null, documents = null } = options
  const text = tokenizer.applyChatTemplate(given, {
    tools,
    documents,
    addGenerationPrompt: !continues,
    continueFinalMessage: continues,
  })
  return { text, addSpecialTokens: false }
}

/** Ids of the prompt, no longer than leaves room for what is to be written. */
function promptIds(text: TextModel, prompt: Prompt, settings: GenerationOptions, truncation: boolean): number[] {
  const { backend, bosTokenId } = text.tokenizer
  const { addSpecialTokens } = prompt
  const ids = backend.encode(prompt.text, null, { truncation: null, padding: null, addSpecialTokens }).ids
  if (ids.length === 0) {
    if (bosTokenId === null)
      throw new RangeError(`${text.name} needs a prompt: its tokenizer has no token to begin with`)
    return [bosTokenId]
  }
  if (text.limit === null) return ids
  const room = text.limit - newTokens(text, settings, ids.length)
  if (ids.length <= room) return ids
  if (!truncation || room < 1)
    throw new RangeError(
      `the prompt has ${ids.length} tokens and ${text.limit - room} are to be written, ${text.name} reads ${text.limit}: shorten it, set a smaller maxLength, or ask for truncation`,
    )
  return ids.slice(ids.length - room)
}

/** Text generation by a published checkpoint. */
export function publishedTextGenerator(text: TextModel): TextGenerator {
  const generator = async (
    given: string | readonly ChatMessage[],
    options: GenerateOptions = {},
  ): Promise<Generation> => {
    const settings = settingsOf(options)
    const prompt = promptOf(text, given, options)
    const ids = promptIds(text, prompt, settings, options.truncation ?? false)
    const inputs = { input_ids: tensor(Int32Array.from(ids), { shape: [1, ids.length] }) }
    const task = { inputs, settings, promptLength: ids.length, promptIds: ids, prompt: prompt.text }
    return write(text, task, options)
  }
  return Object.assign(generator, { task: 'text-generation' as const, model: text.name })
}
