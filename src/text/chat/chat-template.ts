import { strip, stripEnd } from '../python-text.js'
import { Template } from './jinja/index.js'

// Reference: transformers.utils.chat_template_utils.render_jinja_template.

/** One part of a message's content: text, an image, audio. */
export interface ContentPart {
  readonly type: string
  readonly text?: string
  readonly [field: string]: unknown
}

export interface ChatMessage {
  readonly role: string
  readonly content?: string | readonly ContentPart[] | null
  readonly [field: string]: unknown
}

export interface ChatTemplateOptions {
  /** JSON schemas of the functions that the model may call. */
  readonly tools?: readonly unknown[] | null
  /** What the model may quote from. */
  readonly documents?: readonly unknown[] | null
  /** Ends with what starts an answer of the assistant. */
  readonly addGenerationPrompt?: boolean
  /** Leaves the last message open, so that the model goes on with it; or the name of the field to leave open, if not `content`. */
  readonly continueFinalMessage?: boolean | string
  /** Further variables: special tokens such as `bos_token`, and switches of the template such as `enable_thinking`. */
  readonly variables?: Readonly<Record<string, unknown>>
  /** What strftime_now formats. Default the current time. */
  readonly now?: () => Date
}

export interface RenderedChat {
  readonly text: string
  /** Spans of code points that the assistant said, where the template marks them with `{% generation %}`. */
  readonly assistantSpans: readonly (readonly [start: number, end: number])[]
}

type Message = Record<string, unknown>

// Names that reasoning goes by; templates read the first.
const REASONING = ['reasoning_content', 'thinking', 'reasoning']
const TAG = 'CONTINUE_FINAL_MESSAGE_TAG '

function withReasoning(message: ChatMessage): Message {
  const name = REASONING.find((field) => message[field] !== undefined && message[field] !== null)
  if (name === undefined) return { ...message }
  return { thinking: message[name], ...message, reasoning_content: message[name] }
}

/** Marks the end of the last message's text, and returns that text. @throws RangeError where there is none. */
function tagLast(messages: Message[], field: string, template: string): string {
  const last = messages[messages.length - 1]
  if (!last) throw new RangeError('continueFinalMessage is set but the conversation is empty')
  const value = last[field]
  if (value === undefined || value === null)
    throw new RangeError(`continueFinalMessage is set but the final message has no "${field}" to continue`)
  const fields = REASONING.includes(field) ? REASONING.filter((name) => last[name] === value) : [field]
  if (!fields.some((name) => template.includes(name)))
    throw new RangeError(`continueFinalMessage is set to "${field}", which the chat template does not read`)
  if (typeof value === 'string') {
    for (const name of fields) last[name] = value + TAG
    return value
  }
  const parts = [...(value as readonly ContentPart[])]
  const at = parts.findLastIndex((part) => 'text' in part)
  if (at < 0) throw new RangeError('continueFinalMessage is set but the final message has no text to continue')
  const text = String(parts[at].text)
  parts[at] = { ...parts[at], text: text + TAG }
  last[field] = parts
  return text
}

/** Cuts a rendered chat where the marked message ends. */
function untagged(text: string, message: string): string {
  const tag = strip(TAG)
  if (!text.includes(strip(message)) || !text.includes(tag))
    throw new RangeError(
      'continueFinalMessage is set but the final message does not appear in the chat: the chat template may delete parts of it',
    )
  const at = text.lastIndexOf(tag)
  // A template that strips the message has taken the blank behind the tag away.
  return text.startsWith(TAG, at) ? text.slice(0, at) : stripEnd(text.slice(0, at))
}

const templates = new Map<string, Template>()
const KEPT = 32

function compile(source: string): Template {
  const known = templates.get(source) ?? new Template(source)
  templates.delete(source)
  templates.set(source, known)
  for (const oldest of templates.keys()) {
    if (templates.size <= KEPT) break
    templates.delete(oldest)
  }
  return known
}

/**
 * Renders a conversation by a chat template, as transformers' `apply_chat_template` does.
 * @throws TemplateSyntaxError for a malformed template, TemplateError for what it raises, RangeError where a message cannot be continued.
 */
export function renderChat(
  template: string,
  messages: readonly ChatMessage[],
  options: ChatTemplateOptions = {},
): RenderedChat {
  for (const [i, message] of messages.entries())
    if (typeof message !== 'object' || message === null)
      throw new TypeError(`message ${i}: expected an object with a role, got ${typeof message}`)
  const compiled = compile(template)
  const chat = messages.map(withReasoning)
  const goOn = options.continueFinalMessage ?? false
  const open = goOn === false ? null : tagLast(chat, typeof goOn === 'string' ? goOn : 'content', template)
  if (open !== null && options.addGenerationPrompt)
    throw new RangeError('continueFinalMessage and addGenerationPrompt exclude one another')
  const { text, generations } = compiled.render(
    {
      ...options.variables,
      messages: chat,
      tools: options.tools ?? null,
      documents: options.documents ?? null,
      add_generation_prompt: options.addGenerationPrompt ?? false,
    },
    { now: options.now },
  )
  return { text: open === null ? text : untagged(text, open), assistantSpans: generations }
}
