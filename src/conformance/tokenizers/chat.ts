import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type ChatMessage, type ChatTemplateOptions, renderChat } from '../../text/chat/index.js'
import type { PreTrainedTokenizer } from '../../text/tokenizers/index.js'
import { loadTokenizer } from '../../text/tokenizers/index.node.js'
import type { Comparison } from '../compare.js'
import { readJson } from '../golden.js'

interface ChatCase {
  readonly messages: readonly ChatMessage[]
  /** Arguments of apply_chat_template; what it does not know itself goes to the template. */
  readonly kwargs: Readonly<Record<string, unknown>>
  readonly add_generation_prompt: boolean
  readonly rendered?: string
  readonly ids?: readonly number[]
  /** `<name of the exception>: <message>`. */
  readonly error?: string
}

interface ChatFile {
  readonly template: string
  /** Folder of the tokenizer beside this one. */
  readonly tokenizer?: string | null
  readonly cases: readonly ChatCase[]
}

const OWN_ARGUMENTS = new Set(['tools', 'documents', 'continue_final_message'])

/** Special tokens of the file, which templates know by name. */
function specialTokens(file: object): Record<string, unknown> {
  const named = Object.entries(file).filter(([name, value]) => name.endsWith('_token') && value !== null)
  return Object.fromEntries(named)
}

function optionsOf(file: ChatFile, { kwargs, add_generation_prompt }: ChatCase): ChatTemplateOptions {
  const others = Object.entries(kwargs).filter(([name]) => !OWN_ARGUMENTS.has(name))
  return {
    tools: (kwargs.tools ?? null) as readonly unknown[] | null,
    documents: (kwargs.documents ?? null) as readonly unknown[] | null,
    continueFinalMessage: (kwargs.continue_final_message ?? false) as boolean | string,
    addGenerationPrompt: add_generation_prompt,
    variables: { ...specialTokens(file), ...Object.fromEntries(others) },
  }
}

const equal = (got: unknown, want: unknown, where: string): string | null => {
  const [ours, theirs] = [got, want].map((value) => JSON.stringify(value))
  return ours === theirs ? null : `${where}: ${ours}, expected ${theirs}`
}

function compareError(render: () => string, want: string): Comparison {
  let got: string
  try {
    got = `no error but ${JSON.stringify(render())}`
  } catch (error) {
    // Python's ValueError is JavaScript's RangeError.
    got = error instanceof Error ? `${error.name.replace('RangeError', 'ValueError')}: ${error.message}` : String(error)
  }
  // Only what a template raises itself has a text that must be the same; of others the kind counts.
  const same = want.startsWith('TemplateError:') ? got === want : got.split(':')[0] === want.split(':')[0]
  return { worst: null, reason: same ? null : `error ${got}, expected ${want}` }
}

type Load = () => Promise<PreTrainedTokenizer | null>

async function compareChat(file: ChatFile, record: ChatCase, load: Load): Promise<Comparison> {
  const render = (): string => renderChat(file.template, record.messages, optionsOf(file, record)).text
  if (record.error !== undefined) return compareError(render, record.error)
  const text = render()
  const wrong = equal(text, record.rendered, 'rendered')
  const tokenizer = record.ids ? await load() : null
  if (wrong || !tokenizer) return { worst: null, reason: wrong }
  return { worst: null, reason: equal(tokenizer.encode(text, null, { addSpecialTokens: false }), record.ids, 'ids') }
}

/** Cases of the chat templates in `folder`, by file stem and number. */
export async function chatCases(
  folder: string,
): Promise<readonly { readonly id: string; readonly compare: () => Promise<Comparison> }[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.json')).sort()
  const files = await Promise.all(names.map((name) => readJson<ChatFile>(join(folder, name))))
  return files.flatMap((file, i) => {
    const stem = names[i].slice(0, -'.json'.length)
    const path = join(folder, '..', file.tokenizer ?? '')
    let loaded: ReturnType<typeof loadTokenizer> | null = null
    const load: Load = async () => {
      if (!file.tokenizer || !existsSync(path)) return null
      loaded ??= loadTokenizer(path)
      return loaded
    }
    return file.cases.map((record, n) => ({
      id: `${stem}/${String(n).padStart(3, '0')}`,
      compare: () => compareChat(file, record, load),
    }))
  })
}
