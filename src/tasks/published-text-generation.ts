import type { GenerationOptions } from '../generate/index.js'
import { tensor } from '../tensor/index.js'
import type { GenerateOptions, Generation, TextGenerator } from './text-generation.js'
import type { TextModel } from './text-model.js'
import { newTokens, settingsOf, write } from './writing.js'

/** Ids of the prompt, no longer than leaves room for what is to be written. */
function promptIds(text: TextModel, prompt: string, settings: GenerationOptions, truncation: boolean): number[] {
  const { backend, bosTokenId } = text.tokenizer
  const ids = backend.encode(prompt, null, { truncation: null, padding: null }).ids
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
  const generator = async (prompt: string, options: GenerateOptions = {}): Promise<Generation> => {
    const settings = settingsOf(options)
    const ids = promptIds(text, prompt, settings, options.truncation ?? false)
    const inputs = { input_ids: tensor(Int32Array.from(ids), { shape: [1, ids.length] }) }
    return write(text, { inputs, settings, promptLength: ids.length, prompt }, options)
  }
  return Object.assign(generator, { task: 'text-generation' as const, model: text.name })
}
