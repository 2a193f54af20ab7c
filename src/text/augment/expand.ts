import type { Random } from './units.js'

/** Changes a text; the same for the same numbers. */
export type Augmenter = (text: string, random: Random) => string | Promise<string>

/** One augmenter after the other. */
export const inSequence =
  (...augmenters: readonly Augmenter[]): Augmenter =>
  async (text, random) => {
    let out = text
    for (const augment of augmenters) out = await augment(out, random)
    return out
  }

/** Applies an augmenter to a share of the texts. */
export const sometimes =
  (probability: number, augment: Augmenter): Augmenter =>
  (text, random) =>
    random() < probability ? augment(text, random) : text

/** Translates texts: a model, a service, anything. */
export type Translate = (text: string) => string | Promise<string>

/** Says a text again by way of another language (Sennrich, Haddow and Birch 2016). */
export const backTranslation =
  (there: Translate, back: Translate): Augmenter =>
  async (text) =>
    back(await there(text))

/**
 * The rows, each followed by `copies` changed ones; what is not text is kept, and so are its labels. Copies that came out as the text itself or as
 * an earlier copy are left out.
 */
export async function expandRows<T>(
  rows: readonly T[],
  copies: number,
  augment: Augmenter,
  random: Random,
  text: { readonly get: (row: T) => string; readonly set: (row: T, text: string) => T },
): Promise<T[]> {
  if (!Number.isInteger(copies) || copies < 0)
    throw new RangeError(`expandRows: copies must be a whole number, got ${copies}`)
  const out: T[] = []
  for (const row of rows) {
    out.push(row)
    const seen = new Set([text.get(row)])
    for (let n = 0; n < copies; n++) {
      const changed = await augment(text.get(row), random)
      if (changed === '' || seen.has(changed)) continue
      seen.add(changed)
      out.push(text.set(row, changed))
    }
  }
  return out
}
