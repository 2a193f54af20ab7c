import { type AlignmentChunk, alignSequences, countEdits, type EditCounts } from './alignment.js'

// Reference: jiwer (Morris, Maier and Green 2004).

/** Changes a sentence before it is cut into words or characters. */
export type TextTransform = (sentence: string) => string

const CONTRACTIONS: readonly (readonly [RegExp, string])[] = [
  [/won't/g, 'will not'],
  [/can't/g, 'can not'],
  [/let's/g, 'let us'],
  [/n't/g, ' not'],
  [/'re/g, ' are'],
  [/'s/g, ' is'],
  [/'d/g, ' would'],
  [/'ll/g, ' will'],
  [/'t/g, ' not'],
  [/'ve/g, ' have'],
  [/'m/g, ' am'],
]

// Python's white space: \s lacks U+001C to U+001F and U+0085.
const SPACE = '[\\s\\x1c-\\x1f\\x85]'
const ENDS = new RegExp(`^${SPACE}+|${SPACE}+$`, 'g')
const SPACES = new RegExp(`${SPACE}{2,}`, 'g')

const trim = (text: string): string => text.replace(ENDS, '')

/** jiwer's transforms of a sentence, by name. */
export const TRANSFORMS = {
  toLowerCase: (text) => text.toLowerCase(),
  toUpperCase: (text) => text.toUpperCase(),
  strip: trim,
  removePunctuation: (text) => text.replace(/\p{P}/gu, ''),
  removeMultipleSpaces: (text) => text.replace(SPACES, ' '),
  removeWhiteSpace: (text) => text.replace(/[\t\n\v\f\r ]/g, ''),
  whiteSpaceToSpace: (text) => text.replace(/[\t\n\v\f\r]/g, ' '),
  removeKaldiNonWords: (text) => text.replace(/[<[][^>\]]*[>\]]/g, ''),
  expandCommonEnglishContractions: (text) =>
    CONTRACTIONS.reduce((out, [pattern, replacement]) => out.replace(pattern, replacement), text),
} satisfies Record<string, TextTransform>

/** Transforms one after the other. */
export const composeTransforms =
  (...transforms: readonly TextTransform[]): TextTransform =>
  (sentence) =>
    transforms.reduce((text, transform) => transform(text), sentence)

/** jiwer's `wer_standardize`: lower case, contractions expanded, <unk> and [noise] removed, single spaces. */
export const standardizeTranscript = composeTransforms(
  TRANSFORMS.toLowerCase,
  TRANSFORMS.expandCommonEnglishContractions,
  TRANSFORMS.removeKaldiNonWords,
  TRANSFORMS.whiteSpaceToSpace,
  TRANSFORMS.removeMultipleSpaces,
  TRANSFORMS.strip,
)

export interface ErrorRateOptions {
  /** Applied to references and hypotheses. By default runs of white space become one space (words) and ends are stripped. */
  readonly transform?: TextTransform
  readonly referenceTransform?: TextTransform
  readonly hypothesisTransform?: TextTransform
}

export interface ProcessedSpeech extends EditCounts {
  readonly references: readonly (readonly string[])[]
  readonly hypotheses: readonly (readonly string[])[]
  readonly alignments: readonly (readonly AlignmentChunk[])[]
}

export interface WordOutput extends ProcessedSpeech {
  /** Word error rate: edits per word of the references. */
  readonly wer: number
  /** Match error rate: edits per aligned position. */
  readonly mer: number
  /** Word information lost. */
  readonly wil: number
  /** Word information preserved. */
  readonly wip: number
}

export interface CharacterOutput extends ProcessedSpeech {
  /** Character error rate: edits per character (code point) of the references. */
  readonly cer: number
}

export type Sentences = string | readonly string[]

type Cut = (sentence: string) => string[]

const words: Cut = (sentence) => sentence.split(' ').filter((word) => word !== '')
const characters: Cut = (sentence) => [...sentence]

function align(
  references: Sentences,
  hypotheses: Sentences,
  options: ErrorRateOptions,
  standard: TextTransform,
  cut: Cut,
): ProcessedSpeech {
  const [refs, hyps] = [references, hypotheses].map((side) => (typeof side === 'string' ? [side] : [...side]))
  if (refs.length !== hyps.length)
    throw new RangeError(`expected a hypothesis for each of ${refs.length} references, got ${hyps.length}`)
  const { transform = standard } = options
  const left = refs.map((text) => cut((options.referenceTransform ?? transform)(text)))
  const right = hyps.map((text) => cut((options.hypothesisTransform ?? transform)(text)))
  const alignments = left.map((sentence, i) => alignSequences(sentence, right[i]))
  return { references: left, hypotheses: right, alignments, ...countEdits(alignments) }
}

function rates(output: ProcessedSpeech): Pick<WordOutput, 'wer' | 'mer' | 'wil' | 'wip'> {
  const { hits, substitutions, deletions, insertions } = output
  const spoken = hits + substitutions + deletions
  const heard = hits + substitutions + insertions
  const edits = substitutions + deletions + insertions
  if (spoken === 0)
    return { wer: insertions, mer: heard === 0 ? 0 : 1, wip: heard === 0 ? 1 : 0, wil: heard === 0 ? 0 : 1 }
  const wip = heard === 0 ? 0 : (hits / spoken) * (hits / heard)
  return { wer: edits / spoken, mer: edits / (hits + edits), wip, wil: 1 - wip }
}

/** Word errors over all sentences (jiwer.process_words). @throws RangeError for other numbers of sentences on both sides. */
export function processWords(references: Sentences, hypotheses: Sentences, options: ErrorRateOptions = {}): WordOutput {
  const standard = composeTransforms(TRANSFORMS.removeMultipleSpaces, TRANSFORMS.strip)
  const output = align(references, hypotheses, options, standard, words)
  return { ...output, ...rates(output) }
}

/** Character errors over all sentences (jiwer.process_characters). */
export function processCharacters(
  references: Sentences,
  hypotheses: Sentences,
  options: ErrorRateOptions = {},
): CharacterOutput {
  const output = align(references, hypotheses, options, TRANSFORMS.strip, characters)
  return { ...output, cer: rates(output).wer }
}

/** Word error rate; see {@link processWords}. */
export const wordErrorRate = (references: Sentences, hypotheses: Sentences, options: ErrorRateOptions = {}): number =>
  processWords(references, hypotheses, options).wer

/** Character error rate; see {@link processCharacters}. */
export const characterErrorRate = (
  references: Sentences,
  hypotheses: Sentences,
  options: ErrorRateOptions = {},
): number => processCharacters(references, hypotheses, options).cer
