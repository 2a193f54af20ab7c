/** Truncation and padding as a tokenizer.json writes them. */
import type { Fields, JsonObject } from './config.js'
import type { PaddingOptions, TruncationOptions, TruncationStrategy } from './truncation.js'

const STRATEGIES: Readonly<Record<string, TruncationStrategy>> = {
  LongestFirst: 'longest_first',
  OnlyFirst: 'only_first',
  OnlySecond: 'only_second',
}

const DIRECTIONS = ['Left', 'Right'] as const

export function truncationOf(fields: Fields): TruncationOptions {
  const strategy = fields.string('strategy')
  if (!Object.hasOwn(STRATEGIES, strategy)) fields.fail('strategy', `one of ${Object.keys(STRATEGIES).join(', ')}`)
  return {
    maxLength: fields.count('max_length'),
    strategy: STRATEGIES[strategy],
    stride: fields.count('stride'),
    direction: fields.oneOf('direction', DIRECTIONS, 'Right') === 'Left' ? 'left' : 'right',
  }
}

export function truncationToJson(options: TruncationOptions | null): JsonObject | null {
  if (!options) return null
  return {
    direction: options.direction === 'left' ? 'Left' : 'Right',
    max_length: options.maxLength,
    strategy: Object.keys(STRATEGIES).find((name) => STRATEGIES[name] === options.strategy),
    stride: options.stride,
  }
}

export function paddingOf(fields: Fields): PaddingOptions {
  const strategy = fields.json.strategy
  const fixed = typeof strategy === 'object' && strategy !== null ? (strategy as JsonObject).Fixed : null
  if (strategy !== 'BatchLongest' && !(typeof fixed === 'number' && Number.isSafeInteger(fixed) && fixed >= 0))
    fields.fail('strategy', "'BatchLongest' or { Fixed: length }")
  return {
    length: typeof fixed === 'number' ? fixed : null,
    direction: fields.oneOf('direction', DIRECTIONS) === 'Left' ? 'left' : 'right',
    padToMultipleOf: fields.has('pad_to_multiple_of') ? fields.count('pad_to_multiple_of') : null,
    padId: fields.count('pad_id'),
    padTypeId: fields.count('pad_type_id'),
    padToken: fields.string('pad_token'),
  }
}

export function paddingToJson(options: PaddingOptions | null): JsonObject | null {
  if (!options) return null
  return {
    strategy: options.length === null ? 'BatchLongest' : { Fixed: options.length },
    direction: options.direction === 'left' ? 'Left' : 'Right',
    pad_to_multiple_of: options.padToMultipleOf,
    pad_id: options.padId,
    pad_type_id: options.padTypeId,
    pad_token: options.padToken,
  }
}
