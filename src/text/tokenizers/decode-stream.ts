/**
 * Decodes ids one by one into pieces of text that join to the text of all. What a token adds can depend on the tokens before it, so a few
 * are decoded again; a piece waits while its bytes end inside a character.
 */
export class DecodeStream {
  private ids: number[] = []
  private prefix = ''
  private prefixIndex = 0

  constructor(private readonly decode: (ids: readonly number[]) => string) {}

  /** The text that `id` completes; null while there is none yet. */
  step(id: number): string | null {
    if (this.prefix === '' && this.ids.length > 0) {
      const prefix = this.decode(this.ids)
      if (!prefix.endsWith('\ufffd')) {
        this.prefix = prefix
        this.prefixIndex = this.ids.length
      }
    }
    this.ids.push(id)
    const text = this.decode(this.ids)
    if (text.length <= this.prefix.length || text.endsWith('\ufffd')) return null
    if (!text.startsWith(this.prefix))
      throw new Error(
        `decoding ${id} changed the text before it: ${JSON.stringify(this.prefix)} became ${JSON.stringify(text)}`,
      )
    const added = text.slice(this.prefix.length)
    const newIndex = this.ids.length - this.prefixIndex
    this.ids = this.ids.slice(this.prefixIndex)
    this.prefix = this.decode(this.ids)
    this.prefixIndex = newIndex
    return added
  }

  /** What is left at the end: the text of bytes that never became a character. */
  end(): string {
    const text = this.decode(this.ids)
    const rest = text.startsWith(this.prefix) ? text.slice(this.prefix.length) : ''
    this.ids = []
    this.prefix = ''
    this.prefixIndex = 0
    return rest
  }
}
