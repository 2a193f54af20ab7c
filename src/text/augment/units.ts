/** Uniform numbers of [0, 1): `context.random` of a dataset's map, or any generator. */
export type Random = () => number

/** A text as units that augmentation moves about, and what stands between them. */
export interface Units {
  readonly units: readonly string[]
  readonly joint: string
}

/** Cuts a text into units. */
export type Cut = (text: string) => Units

/** Words between white space; characters where there is none, as in Chinese. */
export const wordsOrCharacters: Cut = (text) => {
  const words = text.split(/\s+/).filter((word) => word !== '')
  return words.length > 1 ? { units: words, joint: ' ' } : { units: [...text], joint: '' }
}

/** Words by the rules of a language (Unicode's word boundaries, dictionaries for Chinese and Japanese); white space and punctuation are units, too. */
export function segmentWords(locale: string): Cut {
  const segmenter = new Intl.Segmenter(locale, { granularity: 'word' })
  return (text) => ({ units: Array.from(segmenter.segment(text), ({ segment }) => segment), joint: '' })
}

/** An integer of [0, limit). */
export const below = (random: Random, limit: number): number => Math.min(Math.floor(random() * limit), limit - 1)

export const pick = <T>(random: Random, items: readonly T[]): T => items[below(random, items.length)]

/** Indices 0 to count - 1 in a random order (Fisher-Yates). */
export function shuffled(random: Random, count: number): number[] {
  const order = Array.from({ length: count }, (_, i) => i)
  for (let i = count - 1; i > 0; i--) {
    const j = below(random, i + 1)
    ;[order[i], order[j]] = [order[j], order[i]]
  }
  return order
}

/** @throws RangeError unless a share lies in [0, 1]. */
export function checkShare(name: string, share: number): void {
  if (!(share >= 0 && share <= 1)) throw new RangeError(`${name} must lie in [0, 1], got ${share}`)
}
