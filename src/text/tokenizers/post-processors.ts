/** Post-processors of the tokenizer.json format: special tokens around one or two sequences, and trimmed offsets. */
import { FormatError } from '../../formats/errors.js'
import { buildComponent, Fields } from './config.js'
import { Encoding, type Offsets } from './encoding.js'
import { isWhitespace } from './unicode/classes.js'

export interface PostProcessor {
  /** Number of tokens it adds to one sequence or to a pair. */
  addedTokens(pair: boolean): number
  process(encodings: readonly Encoding[], addSpecialTokens: boolean): Encoding[]
}

const BYTE_LEVEL_SPACE = 0x120

/** Spaces at a side of a token, counted in units. */
function spaces(token: string, fromEnd: boolean): number {
  let count = 0
  while (count < token.length) {
    const unit = token.charCodeAt(fromEnd ? token.length - 1 - count : count)
    if (unit !== BYTE_LEVEL_SPACE && !isWhitespace(unit)) break
    count++
  }
  return count
}

/** Takes the white space of a token out of its offsets; the one space that was put before a text is not in it. */
function trimOffsets(encoding: Encoding, addPrefixSpace: boolean): void {
  for (const part of encoding.overflowing) trimOffsets(part, addPrefixSpace)
  const { columns } = encoding
  if (!columns) return
  for (let i = 0; i < columns.tokens.length; i++) {
    let leading = spaces(columns.tokens[i], false)
    const trailing = spaces(columns.tokens[i], true)
    if (leading === 0 && trailing === 0) continue
    const first = i === 0 || columns.offsets[i][0] === 0
    if (first && addPrefixSpace && leading === 1) leading = 0
    columns.offsets[i] = trimmed(columns.offsets[i], leading, trailing)
    columns.unitOffsets[i] = trimmed(columns.unitOffsets[i], leading, trailing)
  }
}

function trimmed([start, end]: Offsets, leading: number, trailing: number): Offsets {
  const from = leading > 0 ? Math.min(start + leading, end) : start
  const to = trailing > 0 && end >= trailing ? Math.max(end - trailing, from) : end
  return [from, to]
}

function byteLevel(fields: Fields): PostProcessor {
  const trim = fields.boolean('trim_offsets')
  const addPrefixSpace = fields.boolean('add_prefix_space')
  return {
    addedTokens: () => 0,
    process(encodings) {
      for (const [i, encoding] of encodings.entries()) {
        if (trim) trimOffsets(encoding, addPrefixSpace)
        encoding.setSequenceId(i)
      }
      return [...encodings]
    },
  }
}

interface NamedToken {
  readonly token: string
  readonly id: number
}

function namedToken(fields: Fields, key: string): NamedToken {
  const pair = fields.list(key)
  const [token, id] = pair
  if (typeof token !== 'string' || typeof id !== 'number' || !Number.isSafeInteger(id))
    fields.fail(key, 'a token and its id')
  return { token, id }
}

interface Frame {
  /** Token before the sequence, or none. */
  readonly before: NamedToken | null
  readonly after: NamedToken
  /** Type of the tokens put around; of the whole where `wholeType`. */
  readonly type: number
  readonly wholeType: boolean
}

/** Puts tokens around a sequence and its overflowing parts; its range does not take them in. */
function framed(encoding: Encoding, sequence: number, frame: Frame): Encoding {
  const { before, after, type } = frame
  const overflowing = encoding.overflowing.map((part) => framed(part, sequence, frame))
  const body = encoding.clone()
  body.overflowing = []
  body.ranges = new Map()
  if (frame.wholeType) body.typeIds.fill(type)
  body.specialTokensMask.fill(0)
  body.attentionMask.fill(1)
  const parts = [Encoding.ofSpecialTokens([after.id], [after.token], type)]
  parts.unshift(body)
  if (before) parts.unshift(Encoding.ofSpecialTokens([before.id], [before.token], type))
  const whole = Encoding.merge(parts)
  whole.ranges = new Map([[sequence, [before ? 1 : 0, whole.length - 1]]])
  whole.overflowing = overflowing
  return whole
}

function bert(fields: Fields): PostProcessor {
  const [sep, cls] = [namedToken(fields, 'sep'), namedToken(fields, 'cls')]
  return {
    addedTokens: (pair) => (pair ? 3 : 2),
    process: (encodings, addSpecialTokens) =>
      addSpecialTokens
        ? encodings.map((encoding, i) =>
            framed(encoding, i, { before: i === 0 ? cls : null, after: sep, type: i, wholeType: false }),
          )
        : [...encodings],
  }
}

function roberta(fields: Fields): PostProcessor {
  const [sep, cls] = [namedToken(fields, 'sep'), namedToken(fields, 'cls')]
  const trim = fields.boolean('trim_offsets')
  const addPrefixSpace = fields.boolean('add_prefix_space')
  return {
    addedTokens: (pair) => (pair ? 4 : 2),
    process(encodings, addSpecialTokens) {
      for (const encoding of encodings) {
        if (trim) trimOffsets(encoding, addPrefixSpace)
        encoding.typeIds.fill(0)
      }
      if (!addSpecialTokens) return [...encodings]
      return encodings.map((encoding, i) =>
        framed(encoding, i, { before: i === 0 ? cls : sep, after: sep, type: 0, wholeType: true }),
      )
    },
  }
}

type Piece =
  | { readonly sequence: 0 | 1; readonly typeId: number }
  | { readonly special: string; readonly typeId: number }

function templatePiece(value: unknown, where: string): Piece {
  if (typeof value === 'string') return shortPiece(value, where)
  const fields = Fields.of(value, where)
  if (fields.has('Sequence')) {
    const sequence = Fields.of(fields.json.Sequence, `${where}.Sequence`)
    return { sequence: sequence.oneOf('id', ['A', 'B']) === 'A' ? 0 : 1, typeId: sequence.count('type_id') }
  }
  const special = Fields.of(fields.json.SpecialToken, `${where}.SpecialToken`)
  return { special: special.string('id'), typeId: special.count('type_id') }
}

/** `$A`, `$B:1`, `$1`, `[CLS]:0`, as templates are written by hand. */
function shortPiece(text: string, where: string): Piece {
  const match = /^([^:]*)(?::(\d+))?$/.exec(text)
  if (!match) throw new FormatError(`${where}: ${JSON.stringify(text)} is no piece of a template`)
  const typeId = match[2] === undefined ? 0 : Number(match[2])
  const name = match[1]
  if (!name.startsWith('$')) return { special: name, typeId }
  const id = name.slice(1)
  if (/^\d+$/.test(id)) return { sequence: 0, typeId: match[2] === undefined ? Number(id) : typeId }
  if (!/^[aAbB]?$/.test(id)) throw new FormatError(`${where}: ${JSON.stringify(text)} is no piece of a template`)
  return { sequence: /[bB]/.test(id) ? 1 : 0, typeId }
}

/** Pieces of a template: a list, or words separated by spaces. */
function template(fields: Fields, key: string): Piece[] {
  const value = fields.json[key]
  const items = typeof value === 'string' ? value.split(' ') : fields.list(key)
  return items.map((item, i) => templatePiece(item, `${fields.where}.${key}[${i}]`))
}

interface SpecialTokens {
  readonly ids: readonly number[]
  readonly tokens: readonly string[]
}

function specialTokens(fields: Fields): Map<string, SpecialTokens> {
  const found = new Map<string, SpecialTokens>()
  for (const [name, value] of Object.entries(fields.object('special_tokens'))) {
    const token = Fields.of(value, `${fields.where}.special_tokens.${name}`)
    const [ids, tokens] = [token.list('ids'), token.list('tokens')]
    if (!ids.every(Number.isSafeInteger)) token.fail('ids', 'whole numbers')
    if (!tokens.every((item) => typeof item === 'string')) token.fail('tokens', 'strings')
    if (ids.length !== tokens.length) token.fail('tokens', `${ids.length} strings, as many as ids`)
    found.set(name, { ids: ids as readonly number[], tokens: tokens as readonly string[] })
  }
  return found
}

function templateProcessing(fields: Fields): PostProcessor {
  const templates = [template(fields, 'single'), template(fields, 'pair')]
  const specials = specialTokens(fields)
  const special = (name: string): SpecialTokens => {
    const found = specials.get(name)
    if (!found)
      throw new FormatError(`${fields.where}: the template names ${JSON.stringify(name)}, which special_tokens lacks`)
    return found
  }
  const added = templates.map((pieces) =>
    pieces.reduce((sum, piece) => sum + ('special' in piece ? (specials.get(piece.special)?.ids.length ?? 0) : 0), 0),
  )
  const part = (piece: Piece, encodings: readonly Encoding[]): Encoding => {
    if ('special' in piece) {
      const { ids, tokens } = special(piece.special)
      return Encoding.ofSpecialTokens(ids, tokens, piece.typeId)
    }
    const encoding = encodings[piece.sequence]
    if (!encoding) throw new FormatError(`${fields.where}.single: uses a second sequence`)
    encoding.typeIds.fill(piece.typeId)
    encoding.setSequenceId(piece.sequence)
    return encoding.clone()
  }
  return {
    addedTokens: (pair) => added[pair ? 1 : 0],
    process: (encodings, addSpecialTokens) =>
      templates[encodings.length - 1]
        .filter((piece) => addSpecialTokens || !('special' in piece))
        .map((piece) => part(piece, encodings)),
  }
}

function sequence(parts: readonly PostProcessor[]): PostProcessor {
  return {
    addedTokens: (pair) => parts.reduce((sum, processor) => sum + processor.addedTokens(pair), 0),
    process: (encodings, addSpecialTokens) =>
      parts.reduce<Encoding[]>((list, processor) => processor.process(list, addSpecialTokens), [...encodings]),
  }
}

const BUILDERS: Readonly<Record<string, (fields: Fields, depth: number) => PostProcessor>> = {
  BertProcessing: bert,
  ByteLevel: byteLevel,
  RobertaProcessing: roberta,
  Sequence: (fields, depth) =>
    sequence(
      fields
        .list('processors')
        .map((item, i) => buildPostProcessor(item, `${fields.where}.processors[${i}]`, depth + 1)),
    ),
  TemplateProcessing: templateProcessing,
}

/** A post-processor as it stands in a tokenizer.json. @throws FormatError for a kind that is not known or fields that are wrong */
export const buildPostProcessor = (json: unknown, where = 'post_processor', depth = 0): PostProcessor =>
  buildComponent('post-processor', BUILDERS, json, where, depth)

/** Joins one or two encodings, with what a post-processor adds. */
export function postProcess(
  processor: PostProcessor | null,
  encodings: readonly Encoding[],
  addSpecialTokens: boolean,
): Encoding {
  if (!processor) {
    if (encodings.length === 1) return encodings[0]
    for (const [i, encoding] of encodings.entries()) encoding.setSequenceId(i)
    return Encoding.merge(encodings)
  }
  for (const [i, encoding] of encodings.entries()) {
    encoding.setSequenceId(i)
    for (const part of encoding.overflowing) part.setSequenceId(i)
    encoding.typeIds.fill(i)
  }
  return Encoding.merge(processor.process(encodings, addSpecialTokens))
}
