/** Words that may stand for a word; empty where there are none. */
export type Synonyms = (word: string) => readonly string[]

/** Synonyms from groups of words that mean the same, such as the lines of a thesaurus. A word in several groups has the words of all. */
export function synonymsOf(groups: Iterable<readonly string[]>): Synonyms {
  const table = new Map<string, Set<string>>()
  for (const group of groups)
    for (const word of group) {
      const others = table.get(word) ?? new Set()
      for (const other of group) if (other !== word) others.add(other)
      table.set(word, others)
    }
  const lists = new Map(Array.from(table, ([word, others]) => [word, [...others]] as const))
  return (word) => lists.get(word) ?? lists.get(word.toLowerCase()) ?? []
}

/** Synonyms from a text with one group a line, words separated by white space, commas or tabs; lines that start with # are passed over. */
export function parseSynonyms(text: string): Synonyms {
  const lines = text.split(/\r?\n/).filter((line) => !line.startsWith('#'))
  return synonymsOf(
    lines.map((line) => line.split(/[\s,，]+/).filter((word) => word !== '')).filter((group) => group.length > 1),
  )
}

export interface NeighbourOptions {
  /** Neighbours of each word. Default 5. */
  readonly count?: number
  /** Least cosine of two vectors. Default 0.6. */
  readonly similarity?: number
}

/** Synonyms as the nearest words by the cosine of their vectors. Compares all pairs of words that are asked for. */
export function synonymsFromVectors(
  vectors: ReadonlyMap<string, ArrayLike<number>>,
  options: NeighbourOptions = {},
): Synonyms {
  const { count = 5, similarity = 0.6 } = options
  const unit = new Map<string, Float32Array>()
  for (const [word, vector] of vectors) {
    const values = Float32Array.from(vector)
    const norm = Math.hypot(...values)
    if (norm > 0)
      unit.set(
        word,
        values.map((value) => value / norm),
      )
  }
  const known = new Map<string, readonly string[]>()
  const search = (own: Float32Array, word: string): string[] => {
    const cosine = (other: Float32Array): number => own.reduce((sum, value, i) => sum + value * other[i], 0)
    return Array.from(unit, ([name, other]) => ({ name, score: name === word ? -1 : cosine(other) }))
      .filter(({ score }) => score >= similarity)
      .sort((a, b) => b.score - a.score)
      .slice(0, count)
      .map(({ name }) => name)
  }
  return (word) => {
    const own = unit.get(word)
    if (!own) return []
    const found = known.get(word) ?? search(own, word)
    known.set(word, found)
    return found
  }
}
