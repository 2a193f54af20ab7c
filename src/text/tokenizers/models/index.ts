/** Models of the tokenizer.json format. */
import { FormatError } from '../../../formats/errors.js'
import { Fields } from '../config.js'
import { Bpe } from './bpe.js'
import type { Model } from './model.js'
import { Unigram } from './unigram.js'
import { WordLevel } from './word-level.js'
import { WordPiece } from './word-piece.js'

const MODELS: Readonly<Record<string, (fields: Fields) => Model>> = {
  BPE: (fields) => Bpe.of(fields),
  WordPiece: (fields) => WordPiece.of(fields),
  WordLevel: (fields) => WordLevel.of(fields),
  Unigram: (fields) => Unigram.of(fields),
}

/** The kind of a model that does not say it, by the fields that only it has. */
function impliedType(fields: Fields): string {
  if (fields.has('merges')) return 'BPE'
  if (fields.has('continuing_subword_prefix')) return 'WordPiece'
  return Array.isArray(fields.json.vocab) ? 'Unigram' : 'WordLevel'
}

/** A model as it stands in a tokenizer.json. @throws FormatError for a kind that is not known or fields that are wrong */
export function buildModel(json: unknown, where = 'model'): Model {
  const fields = Fields.of(json, where)
  const type = fields.has('type') ? fields.string('type') : impliedType(fields)
  if (!Object.hasOwn(MODELS, type))
    throw new FormatError(
      `${where}: the model ${JSON.stringify(type)} is not known; known are ${Object.keys(MODELS).join(', ')}`,
    )
  return MODELS[type](fields)
}
