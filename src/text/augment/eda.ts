import type { Synonyms } from './synonyms.js'
import { below, type Cut, checkShare, pick, type Random, shuffled, type Units, wordsOrCharacters } from './units.js'

// Wei and Zou 2019, "EDA: Easy Data Augmentation Techniques for Boosting Performance on Text Classification Tasks".

type Edit = (units: readonly string[], random: Random) => string[]

/** How many units a share of a text is: at least one. */
const countOf = (units: readonly string[], share: number): number => Math.max(1, Math.round(share * units.length))

function replaceSynonyms(units: readonly string[], synonyms: Synonyms, count: number, random: Random): string[] {
  const out = [...units]
  const chosen = shuffled(random, units.length).filter((i) => synonyms(units[i]).length > 0)
  for (const i of chosen.slice(0, count)) out[i] = pick(random, synonyms(units[i]))
  return out
}

function insertSynonyms(units: readonly string[], synonyms: Synonyms, count: number, random: Random): string[] {
  const out = [...units]
  const known = units.filter((unit) => synonyms(unit).length > 0)
  if (known.length === 0) return out
  for (let n = 0; n < count; n++)
    out.splice(below(random, out.length + 1), 0, pick(random, synonyms(pick(random, known))))
  return out
}

function swapUnits(units: readonly string[], count: number, random: Random): string[] {
  const out = [...units]
  if (out.length < 2) return out
  for (let n = 0; n < count; n++) {
    const i = below(random, out.length)
    const j = (i + 1 + below(random, out.length - 1)) % out.length
    ;[out[i], out[j]] = [out[j], out[i]]
  }
  return out
}

/** Leaves one unit at least. */
function deleteUnits(units: readonly string[], share: number, random: Random): string[] {
  const kept = units.filter(() => random() >= share)
  return kept.length > 0 || units.length === 0 ? kept : [pick(random, units)]
}

export interface EditOptions {
  /** Cuts a text into units. By default words, or characters where there is no white space. */
  readonly cut?: Cut
}

const edited = (text: string, { cut = wordsOrCharacters }: EditOptions, edit: (units: Units) => string[]): string => {
  const units = cut(text)
  return units.units.length === 0 ? text : edit(units).join(units.joint)
}

/** Puts synonyms in the place of a share of the units. */
export function synonymReplacement(
  text: string,
  synonyms: Synonyms,
  share: number,
  random: Random,
  options: EditOptions = {},
): string {
  checkShare('share', share)
  return edited(text, options, ({ units }) => replaceSynonyms(units, synonyms, countOf(units, share), random))
}

/** Inserts synonyms of the text's words at random places. */
export function synonymInsertion(
  text: string,
  synonyms: Synonyms,
  share: number,
  random: Random,
  options: EditOptions = {},
): string {
  checkShare('share', share)
  return edited(text, options, ({ units }) => insertSynonyms(units, synonyms, countOf(units, share), random))
}

/** Exchanges random pairs of units, one a share of the text. */
export function randomSwap(text: string, share: number, random: Random, options: EditOptions = {}): string {
  checkShare('share', share)
  return edited(text, options, ({ units }) => swapUnits(units, countOf(units, share), random))
}

/** Leaves out each unit with a probability of `share`; one always stays. */
export function randomDeletion(text: string, share: number, random: Random, options: EditOptions = {}): string {
  checkShare('share', share)
  return edited(text, options, ({ units }) => deleteUnits(units, share, random))
}

export interface EdaOptions extends EditOptions {
  /** Shares of the units that each kind of edit changes; 0 leaves it out. Default 0.1 each. */
  readonly replace?: number
  readonly insert?: number
  readonly swap?: number
  readonly delete?: number
  /** Without synonyms only swaps and deletions are made. */
  readonly synonyms?: Synonyms
}

/** An augmenter that makes one edit of a kind drawn at random. */
export function eda(options: EdaOptions = {}): (text: string, random: Random) => string {
  const { synonyms, replace = 0.1, insert = 0.1, swap = 0.1, delete: remove = 0.1, cut = wordsOrCharacters } = options
  for (const [name, share] of Object.entries({ replace, insert, swap, delete: remove })) checkShare(name, share)
  const edits: Edit[] = []
  if (synonyms && replace > 0)
    edits.push((units, random) => replaceSynonyms(units, synonyms, countOf(units, replace), random))
  if (synonyms && insert > 0)
    edits.push((units, random) => insertSynonyms(units, synonyms, countOf(units, insert), random))
  if (swap > 0) edits.push((units, random) => swapUnits(units, countOf(units, swap), random))
  if (remove > 0) edits.push((units, random) => deleteUnits(units, remove, random))
  if (edits.length === 0) throw new RangeError('eda: every kind of edit is left out')
  return (text, random) => edited(text, { cut }, ({ units }) => pick(random, edits)(units, random))
}
