import type { PreTrainedTokenizer } from '../../text/tokenizers/index.js'

/** What a token is to masking. */
export const Role = { special: 0, startsWord: 1, continuesWord: 2 } as const

/** Tokens of one row, special ones included, and the {@link Role} of each. */
export interface TokenRow {
  readonly ids: Int32Array
  readonly roles: Uint8Array
}

interface Tokens {
  readonly ids: number[]
  readonly roles: number[]
}

/** Special tokens that stand before and after a text. */
function frameOf(tokenizer: PreTrainedTokenizer): { before: number[]; after: number[] } {
  const { ids, specialTokensMask } = tokenizer.backend.encode('a', null, { truncation: null, padding: null })
  const first = specialTokensMask.indexOf(0)
  const last = specialTokensMask.lastIndexOf(0)
  return first < 0 ? { before: [], after: ids } : { before: ids.slice(0, first), after: ids.slice(last + 1) }
}

function tokensOf(text: string, tokenizer: PreTrainedTokenizer): Tokens {
  const encoding = tokenizer.backend.encode(text, null, { addSpecialTokens: false, truncation: null, padding: null })
  const words = encoding.wordIds
  return {
    ids: encoding.ids,
    roles: encoding.ids.map((_, i) => (i > 0 && words[i] === words[i - 1] ? Role.continuesWord : Role.startsWord)),
  }
}

class RowWriter {
  readonly rows: TokenRow[] = []
  private ids: number[] = []
  private roles: number[] = []

  constructor(
    private readonly length: number,
    private readonly frame: { readonly before: readonly number[]; readonly after: readonly number[] },
  ) {
    this.open()
  }

  /** Tokens that the open row still takes beside its closing ones. */
  get room(): number {
    return this.length - this.ids.length - this.frame.after.length
  }

  get empty(): boolean {
    return this.ids.length === this.frame.before.length
  }

  private open(): void {
    this.ids = []
    this.roles = []
    this.special(this.frame.before)
  }

  private special(ids: readonly number[]): void {
    for (const id of ids) {
      this.ids.push(id)
      this.roles.push(Role.special)
    }
  }

  /** Ends a document; a row that has no room for another one after that is full. */
  separate(): void {
    const { after } = this.frame
    this.special(after.slice(0, this.room))
    if (this.room === 0) this.close()
  }

  add({ ids, roles }: Tokens, start: number, end: number): void {
    for (let i = start; i < end; i++) {
      this.ids.push(ids[i])
      this.roles.push(i === start ? Role.startsWord : roles[i])
    }
  }

  close(): void {
    if (this.empty) return
    this.special(this.frame.after)
    this.rows.push({ ids: Int32Array.from(this.ids), roles: Uint8Array.from(this.roles) })
    this.open()
  }
}

/**
 * Cuts documents into rows of at most `length` tokens. Packed, each row takes document after document with the closing special tokens
 * between them until it is full, and the last one is filled up from the first documents; otherwise a row holds one document or a part of it.
 */
export function rowsOf(
  documents: readonly string[],
  tokenizer: PreTrainedTokenizer,
  { length, packing }: { readonly length: number; readonly packing: boolean },
): TokenRow[] {
  const frame = frameOf(tokenizer)
  if (length <= frame.before.length + frame.after.length)
    throw new RangeError(`maxLength ${length} leaves no room for tokens beside the special ones`)
  const writer = new RowWriter(length, frame)
  const put = (tokens: Tokens): void => {
    for (let at = 0; at < tokens.ids.length; ) {
      const end = Math.min(tokens.ids.length, at + writer.room)
      writer.add(tokens, at, end)
      at = end
      if (!packing || writer.room === 0) writer.close()
    }
    if (packing && !writer.empty) writer.separate()
  }
  for (const text of documents) put(tokensOf(text, tokenizer))
  if (packing && writer.rows.length > 0)
    for (
      let i = 0, full = writer.rows.length;
      i < documents.length && !writer.empty && writer.rows.length === full;
      i++
    )
      put(tokensOf(documents[i], tokenizer))
  else writer.close()
  return writer.rows
}
