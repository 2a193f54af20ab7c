/** Tasks of models that read a text and write another: summaries, translations, answers. */
import type { GenerationOptions } from '../generate/index.js'
import type { ModelInputs } from '../models/index.js'
import { tensor } from '../tensor/index.js'
import type { Encoding } from '../text/tokenizers/index.js'
import type { GenerateOptions, Generation } from './text-generation.js'
import type { LengthOptions, TextModel } from './text-model.js'
import { inputName } from './types.js'
import { settingsOf, write } from './writing.js'

export interface RewriteOptions extends Omit<GenerateOptions, 'truncation'>, Omit<LengthOptions, 'maxLength'> {
  /** Put before the text. Default: as the checkpoint's `task_specific_params` say, which T5's do. */
  readonly prefix?: string
  /** Translation by models of several languages: token of the text's language, such as `en_XX` or `__en__`. */
  readonly sourceLanguage?: string
  /** Token of the language to write. */
  readonly targetLanguage?: string
}

export type RewriteTask = 'text2text-generation' | 'summarization' | 'translation'

/** Writes a text from a text. */
export interface TextRewriter<T extends RewriteTask = RewriteTask> {
  readonly task: T
  readonly model: string
  /** @throws RangeError for a text longer than the model reads, unless truncation is asked for, or for an unknown language */
  (text: string, options?: RewriteOptions): Promise<Generation>
  (texts: readonly string[], options?: RewriteOptions): Promise<Generation[]>
}

interface TaskSettings {
  readonly prefix: string
  readonly settings: GenerationOptions
}

/** What a checkpoint says of a task. Translation is found as `translation` or, where it is the only one, `translation_en_to_de`. */
function taskSettings({ model }: TextModel, task: RewriteTask): TaskSettings {
  const all = model.config.raw.task_specific_params
  const none = { prefix: '', settings: {} }
  if (typeof all !== 'object' || all === null || Array.isArray(all)) return none
  const table = all as Readonly<Record<string, unknown>>
  const names = Object.keys(table).filter((name) => name === task || name.startsWith(`${task}_`))
  const found = table[task] ?? (names.length === 1 ? table[names[0]] : undefined)
  if (typeof found !== 'object' || found === null) return none
  const { prefix, ...settings } = found as { prefix?: unknown }
  return { prefix: typeof prefix === 'string' ? prefix : '', settings: settings as GenerationOptions }
}

/** Puts another language token in the place of the one that the tokenizer adds. */
function withLanguage(
  text: TextModel,
  { ids, specialTokensMask }: Encoding,
  language: string | undefined,
): readonly number[] {
  if (language === undefined) return ids
  const { tokenizer, name } = text
  const wanted = tokenizer.tokenToId(language)
  if (wanted === undefined) throw new RangeError(`${name} knows no language token '${language}'`)
  const { bosTokenId, eosTokenId, padTokenId, clsTokenId, sepTokenId, unkTokenId } = tokenizer
  const plain = new Set([bosTokenId, eosTokenId, padTokenId, clsTokenId, sepTokenId, unkTokenId])
  const place = ids.findIndex((id, i) => specialTokensMask[i] === 1 && !plain.has(id))
  if (place < 0) throw new RangeError(`${name} does not mark the language of texts: leave out sourceLanguage`)
  return ids.with(place, wanted)
}

export const rewriter =
  <T extends RewriteTask>(task: T) =>
  (text: TextModel): TextRewriter<T> => {
    const { name, tokenizer } = text
    const own = taskSettings(text, task)

    function settingsFor(options: RewriteOptions): GenerationOptions {
      const { targetLanguage } = options
      const forced = targetLanguage === undefined ? undefined : tokenizer.tokenToId(targetLanguage)
      if (targetLanguage !== undefined && forced === undefined)
        throw new RangeError(`${name} knows no language token '${targetLanguage}'`)
      const { truncation: _, ...writing } = options
      return {
        ...own.settings,
        ...settingsOf(writing),
        ...(forced === undefined ? {} : { forced_bos_token_id: forced }),
      }
    }

    async function rewriteOne(prompt: string, where: string, options: RewriteOptions): Promise<Generation> {
      const { truncation, prefix = own.prefix, sourceLanguage, ...writing } = options
      const encoding = text.encode(prefix + prompt, null, { truncation }, where)
      const ids = withLanguage(text, encoding, sourceLanguage)
      const shape = [1, ids.length]
      const inputs: ModelInputs = {
        input_ids: tensor(Int32Array.from(ids), { shape }),
        attention_mask: tensor(new Int32Array(ids.length).fill(1), { shape }),
      }
      return write(text, { inputs, settings: settingsFor(options), promptLength: 1, prompt }, writing)
    }

    const rewrite = async (input: string | readonly string[], options: RewriteOptions = {}) => {
      if (typeof input === 'string') return rewriteOne(input, inputName(0, 1), options)
      const results: Generation[] = []
      for (const [i, one] of input.entries()) results.push(await rewriteOne(one, inputName(i, input.length), options))
      return results
    }
    return Object.assign(rewrite as TextRewriter<T>, { task, model: name })
  }
