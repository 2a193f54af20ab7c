import { below, checkShare, pick, type Random } from './units.js'

const ROWS = ['qwertyuiop', 'asdfghjkl', 'zxcvbnm']

/** Keys beside each letter on a QWERTY keyboard. */
function keyboard(): ReadonlyMap<string, readonly string[]> {
  const near = new Map<string, string[]>()
  for (const [r, row] of ROWS.entries())
    for (const [c, letter] of [...row].entries()) {
      // The row below is shifted by half a key.
      const beside = [
        row[c - 1],
        row[c + 1],
        ROWS[r - 1]?.[c],
        ROWS[r - 1]?.[c + 1],
        ROWS[r + 1]?.[c - 1],
        ROWS[r + 1]?.[c],
      ]
      near.set(
        letter,
        beside.filter((key) => key !== undefined),
      )
    }
  return near
}

const KEYBOARD = keyboard()

/** Characters that may be written in the place of one; empty where there are none. */
export type Confusions = (character: string) => readonly string[]

/** Slips on a QWERTY keyboard, in the case of the letter. */
export const keyboardConfusions: Confusions = (character) => {
  const near = KEYBOARD.get(character.toLowerCase()) ?? []
  return character === character.toLowerCase() ? near : near.map((key) => key.toUpperCase())
}

/** Confusions from groups of characters that look or sound alike, such as homophones. */
export function confusionsOf(groups: Iterable<string>): Confusions {
  const table = new Map<string, string[]>()
  for (const group of groups)
    for (const character of group) {
      const others = [...group].filter((other) => other !== character)
      table.set(character, [...(table.get(character) ?? []), ...others])
    }
  return (character) => table.get(character) ?? []
}

export type NoiseKind = 'substitute' | 'delete' | 'repeat' | 'swap'

export interface NoiseOptions {
  /** Probability of a slip at each letter. Default 0.05. */
  readonly rate?: number
  /** Default all. */
  readonly kinds?: readonly NoiseKind[]
  /** What substitutions write. Default keyboardConfusions. */
  readonly confusions?: Confusions
}

const KINDS: readonly NoiseKind[] = ['substitute', 'delete', 'repeat', 'swap']

/** Slips of the hand at letters: another key, one left out, one doubled, two exchanged. Digits, marks and blanks stay. */
export function characterNoise(options: NoiseOptions = {}): (text: string, random: Random) => string {
  const { rate = 0.05, kinds = KINDS, confusions = keyboardConfusions } = options
  checkShare('rate', rate)
  const unknown = kinds.find((kind) => !KINDS.includes(kind))
  if (unknown !== undefined || kinds.length === 0)
    throw new RangeError(`characterNoise: kinds are some of ${KINDS.join(', ')}, got ${unknown ?? 'none'}`)
  const isLetter = (character: string | undefined): boolean => character !== undefined && /\p{L}/u.test(character)
  return (text, random) => {
    const characters = [...text]
    let out = ''
    for (let i = 0; i < characters.length; i++) {
      const character = characters[i]
      if (!isLetter(character) || random() >= rate) {
        out += character
        continue
      }
      const kind = pick(random, kinds)
      const others = kind === 'substitute' ? confusions(character) : []
      if (kind === 'swap' && isLetter(characters[i + 1])) out += characters[++i] + character
      else if (kind === 'repeat') out += character + character
      else if (kind === 'substitute' && others.length > 0) out += others[below(random, others.length)]
      else if (kind !== 'delete') out += character
    }
    return out
  }
}
