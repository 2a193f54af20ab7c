// Reference: seqeval.metrics.sequence_labeling and seqeval.scheme.

/** A named span of tokens, both ends inclusive. */
export interface Entity {
  readonly type: string
  readonly start: number
  readonly end: number
}

/** A tag's position within an entity and the entity's type. */
interface Tag {
  readonly prefix: string
  readonly type: string
}

function looseTag(label: string, suffix: boolean): Tag {
  if (label === '') throw new RangeError('expected a tag such as B-PER or O, got an empty string')
  const at = suffix ? label.slice(0, -1).lastIndexOf('-') : label.indexOf('-', 1)
  const prefix = suffix ? label[label.length - 1] : label[0]
  const rest = suffix ? label.slice(0, -1) : label.slice(1)
  const type = suffix ? (at < 0 ? rest : rest.slice(0, at)) : at < 0 ? rest : label.slice(at + 1)
  return { prefix, type: type || '_' }
}

const ENDS = new Set(['BB', 'BS', 'BO', 'IB', 'IS', 'IO'])
const STARTS = new Set(['EE', 'EI', 'SE', 'SI', 'OE', 'OI'])
const isOutside = (prefix: string): boolean => prefix === 'O' || prefix === '.'

const endsBefore = (previous: Tag, tag: Tag): boolean =>
  previous.prefix === 'E' ||
  previous.prefix === 'S' ||
  ENDS.has(previous.prefix + tag.prefix) ||
  (!isOutside(previous.prefix) && previous.type !== tag.type)

const startsAt = (previous: Tag, tag: Tag): boolean =>
  tag.prefix === 'B' ||
  tag.prefix === 'S' ||
  STARTS.has(previous.prefix + tag.prefix) ||
  (!isOutside(tag.prefix) && previous.type !== tag.type)

/** Entities of a sequence as conlleval reads it, forgiving tags out of place. */
export function getEntities(labels: readonly string[], suffix = false): Entity[] {
  const entities: Entity[] = []
  let previous: Tag = { prefix: 'O', type: '' }
  let start = 0
  for (const [i, label] of [...labels, 'O'].entries()) {
    const tag = looseTag(label, suffix)
    if (endsBefore(previous, tag)) entities.push({ type: previous.type, start, end: i - 1 })
    if (startsAt(previous, tag)) start = i
    previous = tag
  }
  return entities
}

type Same = 'same' | 'differs' | 'any'
/** Prefixes of the previous and the current tag ('*' for all), and whether their types agree. */
type Pattern = readonly [previous: string, current: string, types: Same]

interface SchemeRules {
  readonly prefixes: string
  readonly start: readonly Pattern[]
  readonly inside: readonly Pattern[]
  readonly end: readonly Pattern[]
}

export type Scheme = 'IOB1' | 'IOE1' | 'IOB2' | 'IOE2' | 'IOBES' | 'BILOU'

const SCHEMES: Record<Scheme, SchemeRules> = {
  IOB1: {
    prefixes: 'IOB',
    start: [
      ['O', 'I', 'any'],
      ['I', 'I', 'differs'],
      ['B', 'I', 'any'],
      ['I', 'B', 'same'],
      ['B', 'B', 'same'],
    ],
    inside: [
      ['B', 'I', 'same'],
      ['I', 'I', 'same'],
    ],
    end: [
      ['I', 'I', 'differs'],
      ['I', 'O', 'any'],
      ['I', 'B', 'any'],
      ['B', 'O', 'any'],
      ['B', 'I', 'differs'],
      ['B', 'B', 'same'],
    ],
  },
  IOE1: {
    prefixes: 'IOE',
    start: [
      ['O', 'I', 'any'],
      ['I', 'I', 'differs'],
      ['E', 'I', 'any'],
      ['E', 'E', 'same'],
    ],
    inside: [
      ['I', 'I', 'same'],
      ['I', 'E', 'same'],
    ],
    end: [
      ['I', 'I', 'differs'],
      ['I', 'O', 'any'],
      ['I', 'E', 'differs'],
      ['E', 'I', 'same'],
      ['E', 'E', 'same'],
    ],
  },
  IOB2: {
    prefixes: 'IOB',
    start: [['*', 'B', 'any']],
    inside: [
      ['B', 'I', 'same'],
      ['I', 'I', 'same'],
    ],
    end: [
      ['I', 'O', 'any'],
      ['I', 'I', 'differs'],
      ['I', 'B', 'any'],
      ['B', 'O', 'any'],
      ['B', 'I', 'differs'],
      ['B', 'B', 'any'],
    ],
  },
  IOE2: {
    prefixes: 'IOE',
    start: [
      ['O', 'IE', 'any'],
      ['E', 'IE', 'any'],
      ['I', 'IE', 'differs'],
    ],
    inside: [['I', 'IE', 'same']],
    end: [['E', '*', 'any']],
  },
  IOBES: {
    prefixes: 'IOBES',
    start: [['*', 'BS', 'any']],
    inside: [['BI', 'IE', 'same']],
    end: [['SE', '*', 'any']],
  },
  BILOU: {
    prefixes: 'BILOU',
    start: [['*', 'BU', 'any']],
    inside: [['BI', 'IL', 'same']],
    end: [['UL', '*', 'any']],
  },
}

function strictTag(label: string, suffix: boolean): Tag {
  const prefix = suffix ? label[label.length - 1] : label[0]
  const rest = suffix ? label.slice(0, -1) : label.slice(1)
  return { prefix, type: rest.replace(/^-+|-+$/g, '') || '_' }
}

function matches(patterns: readonly Pattern[], previous: Tag, tag: Tag): boolean {
  const types: Same = previous.type === tag.type ? 'same' : 'differs'
  return patterns.some(
    ([before, now, want]) =>
      (before === '*' || before.includes(previous.prefix)) &&
      (now === '*' || now.includes(tag.prefix)) &&
      (want === 'any' || want === types),
  )
}

/** Entities of a sequence that keep a scheme's rules; others do not count. @throws RangeError for a prefix that the scheme lacks. */
export function strictEntities(labels: readonly string[], scheme: Scheme, suffix = false): Entity[] {
  const rules = SCHEMES[scheme]
  if (!rules) throw new RangeError(`unknown scheme '${scheme}'; known: ${Object.keys(SCHEMES).join(', ')}`)
  const tags = [...labels, 'O'].map((label) => strictTag(label, suffix))
  for (const [i, { prefix }] of tags.entries())
    if (!prefix || !rules.prefixes.includes(prefix))
      throw new RangeError(
        `tag '${labels[i]}' does not belong to ${scheme}, whose prefixes are ${[...rules.prefixes].join(', ')}`,
      )
  const entities: Entity[] = []
  let previous = strictTag('O', suffix)
  for (let i = 0; i < tags.length; ) {
    const start = i++
    if (matches(rules.start, previous, tags[start])) {
      while (i < tags.length && matches(rules.inside, tags[i - 1], tags[i])) i++
      if (i < tags.length && matches(rules.end, tags[i - 1], tags[i]))
        entities.push({ type: tags[start].type, start, end: i - 1 })
    }
    previous = tags[i - 1]
  }
  return entities
}

const DETECTED: readonly Scheme[] = ['IOB2', 'IOE2', 'IOBES', 'BILOU']
const KNOWN_PREFIXES: Record<string, readonly string[]> = {
  IOB2: ['BIO', 'BI', 'BO', 'B'],
  IOE2: ['EIO', 'EI', 'EO', 'E'],
  IOBES: ['BEIOS', 'BEIS', 'BEIO', 'BEOS', 'BEI', 'BES', 'BEO', 'BE', 'S'],
  BILOU: ['BILOU', 'BILU', 'BILO', 'BLOU', 'BIL', 'BLU', 'BLO', 'BL', 'U'],
}

/** The scheme that the prefixes of all tags belong to. @throws RangeError where none fits. */
export function detectScheme(sequences: readonly (readonly string[])[], suffix = false): Scheme {
  const found = new Set<string>()
  for (const labels of sequences) for (const label of labels) found.add(strictTag(label, suffix).prefix)
  const prefixes = [...found].sort().join('')
  const scheme = DETECTED.find((name) => KNOWN_PREFIXES[name].includes(prefixes))
  if (!scheme)
    throw new RangeError(`no scheme has exactly the prefixes ${[...prefixes].join(', ') || '(none)'}; give one`)
  return scheme
}
