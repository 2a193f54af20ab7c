/** Normalizers, pre-tokenizers and decoders alone. */
import { AlignedText, buildDecoder, buildNormalizer, buildPreTokenizer } from '../../text/tokenizers/index.js'
import type { Comparison } from '../compare.js'
import { UnsupportedError } from '../unsupported.js'
import { exactly } from './compare.js'

export interface ComponentCase {
  readonly kind: string
  readonly component: unknown
  readonly results?: readonly (readonly [string, unknown])[]
  readonly tokens?: readonly string[]
  readonly result?: string
}

function compareNormalizer({ component, results = [] }: ComponentCase): Comparison {
  const normalizer = buildNormalizer(component)
  for (const [text, want] of results) {
    const aligned = new AlignedText(text)
    normalizer.apply(aligned)
    const compared = exactly(
      { aligned: [aligned.text, want], text: [normalizer.normalize(text), want] },
      JSON.stringify(text),
    )
    if (compared.reason !== null) return compared
  }
  return { worst: null, reason: null }
}

/** Positions in code points of positions in units. */
const codePoints = (text: string, units: number): number => Array.from(text.slice(0, units)).length

function comparePreTokenizer({ component, results = [] }: ComponentCase): Comparison {
  const preTokenizer = buildPreTokenizer(component)
  for (const [text, want] of results) {
    const pieces = text === '' ? [] : preTokenizer.split(new AlignedText(text))
    const got = pieces.map((piece) => [piece.text, [codePoints(text, piece.from), codePoints(text, piece.to)]])
    const compared = exactly({ pieces: [got, want] }, JSON.stringify(text))
    if (compared.reason !== null) return compared
  }
  return { worst: null, reason: null }
}

const KINDS: Readonly<Record<string, (record: ComponentCase) => Comparison>> = {
  normalizer: compareNormalizer,
  pre_tokenizer: comparePreTokenizer,
  decoder: ({ component, tokens = [], result }) =>
    exactly({ text: [buildDecoder(component)(tokens).join(''), result] }, JSON.stringify(tokens)),
}

export function compareComponent(record: ComponentCase): Comparison {
  const compare = KINDS[record.kind]
  if (!compare) throw new UnsupportedError(`components of the kind '${record.kind}'`)
  return compare(record)
}
