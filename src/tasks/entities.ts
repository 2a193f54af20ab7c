/** From classes of tokens to entities, by the rules of transformers' token-classification pipeline. */

export const AGGREGATIONS = ['none', 'simple', 'first', 'average', 'max'] as const

/**
 * `none`: every token on its own. `simple`: neighbours of one class are joined, a `B-` class starting anew. The others first give all
 * tokens of a word one class: the first token's, that of the mean scores, or that of the token that is surest.
 */
export type AggregationStrategy = (typeof AGGREGATIONS)[number]

interface Place {
  readonly score: number
  /** As the tokenizer writes it; `text.slice(start, end)` is what the text says. */
  readonly word: string
  readonly start: number
  readonly end: number
}

/** A token of a class. */
export interface TokenEntity extends Place {
  readonly entity: string
  /** Number of the token. */
  readonly index: number
}

/** Tokens of a class. */
export interface EntityGroup extends Place {
  /** The class without `B-` or `I-`. */
  readonly entity_group: string
}

export type Entity = TokenEntity | EntityGroup

/** A token before it has a class. */
export interface TokenScores {
  readonly word: string
  /** Probabilities of the classes. */
  readonly scores: readonly number[]
  readonly start: number
  readonly end: number
  readonly index: number
  /** Whether it goes on within a word. */
  readonly isSubword: boolean
}

type Join = (tokens: readonly string[]) => string
type Named = Omit<TokenEntity, 'index'> & { readonly index?: number }

const highest = (scores: readonly number[]): number =>
  scores.reduce((best, score, i) => (score > scores[best] ? i : best), 0)

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length

type WordStrategy = Exclude<AggregationStrategy, 'none' | 'simple'>

/** Scores of a word from those of its tokens. */
const WORD_SCORES: { readonly [S in WordStrategy]: (tokens: readonly TokenScores[]) => readonly number[] } = {
  first: ([first]) => first.scores,
  average: (tokens) => tokens[0].scores.map((_, i) => mean(tokens.map(({ scores }) => scores[i]))),
  max: (tokens) => {
    const tops = tokens.map(({ scores }) => scores[highest(scores)])
    return tokens[highest(tops)].scores
  },
}

function entityOfToken({ word, scores, start, end, index }: TokenScores, labels: readonly string[]): TokenEntity {
  const best = highest(scores)
  return { entity: labels[best], score: scores[best], index, word, start, end }
}

function wordsOf(tokens: readonly TokenScores[]): TokenScores[][] {
  const words: TokenScores[][] = []
  for (const token of tokens) {
    if (words.length > 0 && token.isSubword) words[words.length - 1].push(token)
    else words.push([token])
  }
  return words
}

/** Splits `B-LOC` in `B` and `LOC`; other names count as going on. */
const tagOf = (name: string): readonly [string, string] => {
  const found = /^([BI])-([\s\S]*)$/.exec(name)
  return found ? [found[1], found[2]] : ['I', name]
}

function groupsOf(entities: readonly Named[], join: Join): EntityGroup[] {
  const groups: Named[][] = []
  for (const entity of entities) {
    const last = groups[groups.length - 1]
    const [position, tag] = tagOf(entity.entity)
    if (last && tag === tagOf(last[last.length - 1].entity)[1] && position !== 'B') last.push(entity)
    else groups.push([entity])
  }
  return groups.map((group) => {
    const [{ entity, start }] = group
    const cut = entity.indexOf('-')
    return {
      entity_group: cut < 0 ? entity : entity.slice(cut + 1),
      score: mean(group.map(({ score }) => score)),
      word: join(group.map(({ word }) => word)),
      start,
      end: group[group.length - 1].end,
    }
  })
}

/** Entities of one row of tokens, those of every class. */
export function aggregate(
  tokens: readonly TokenScores[],
  strategy: AggregationStrategy,
  labels: readonly string[],
  join: Join,
): Entity[] {
  if (strategy === 'none') return tokens.map((token) => entityOfToken(token, labels))
  if (strategy === 'simple')
    return groupsOf(
      tokens.map((token) => entityOfToken(token, labels)),
      join,
    )
  const words = wordsOf(tokens).map((word): Named => {
    const scores = WORD_SCORES[strategy](word)
    const best = highest(scores)
    return {
      entity: labels[best],
      score: scores[best],
      word: join(word.map((token) => token.word)),
      start: word[0].start,
      end: word[word.length - 1].end,
    }
  })
  return groupsOf(words, join)
}
