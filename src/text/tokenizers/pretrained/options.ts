import type { Side } from '../encoding.js'
import type { PaddingOptions, TruncationOptions, TruncationStrategy } from '../truncation.js'
import { TRUNCATION_STRATEGIES } from '../truncation.js'

/** How texts become the inputs of a model; names and defaults are those of transformers. */
export interface CallOptions {
  readonly addSpecialTokens?: boolean
  /** true or 'longest': to the longest of the batch; 'max_length': to `maxLength` or the model's. */
  readonly padding?: boolean | 'longest' | 'max_length' | 'do_not_pad'
  /** true: 'longest_first'. */
  readonly truncation?: boolean | TruncationStrategy | 'do_not_truncate'
  readonly maxLength?: number
  /** Tokens that overflowing parts repeat. */
  readonly stride?: number
  /** Whether a list of strings is one text in words, not a batch. */
  readonly isSplitIntoWords?: boolean
  readonly padToMultipleOf?: number
  readonly paddingSide?: Side
  readonly splitSpecialTokens?: boolean
  readonly returnTokenTypeIds?: boolean
  readonly returnAttentionMask?: boolean
  readonly returnOverflowingTokens?: boolean
  readonly returnSpecialTokensMask?: boolean
  /** true: in code points, as Python counts; 'utf16': in units of JavaScript's strings. */
  readonly returnOffsetsMapping?: boolean | 'utf16'
  readonly returnLength?: boolean
}

/** What the strategies need to know of the tokenizer. */
export interface Settings {
  readonly modelMaxLength: number | null
  readonly paddingSide: Side
  readonly truncationSide: Side
  readonly padToken: string | null
  readonly padId: number | null
  readonly padTypeId: number
}

function truncationStrategy({ truncation, maxLength, padding }: CallOptions): TruncationStrategy | null {
  // A length alone asks for truncation to it.
  if (truncation === undefined) return maxLength !== undefined && !padding ? 'longest_first' : null
  if (truncation === false || truncation === 'do_not_truncate') return null
  if (truncation === true) return 'longest_first'
  if (!TRUNCATION_STRATEGIES.includes(truncation))
    throw new TypeError(
      `truncation: expected true, false or one of ${TRUNCATION_STRATEGIES.join(', ')}, got ${truncation}`,
    )
  return truncation
}

const PADDING = [true, false, 'longest', 'max_length', 'do_not_pad', undefined]

/**
 * Truncation and padding that the options ask for.
 * @throws TypeError for an unknown strategy, RangeError for lengths that do not fit, Error where there is no padding token
 */
export function strategies(
  options: CallOptions,
  settings: Settings,
): { truncation: TruncationOptions | null; padding: PaddingOptions | null } {
  const { padding, padToMultipleOf } = options
  if (!PADDING.includes(padding))
    throw new TypeError(`padding: got ${String(padding)}, expected true, false, 'longest' or 'max_length'`)
  const strategy = truncationStrategy(options)
  const maxLength = options.maxLength ?? settings.modelMaxLength
  const truncation: TruncationOptions | null =
    strategy === null || maxLength === null
      ? null
      : { maxLength, strategy, stride: options.stride ?? 0, direction: settings.truncationSide }
  const pads = Boolean(padding) && padding !== 'do_not_pad' && !(padding === 'max_length' && maxLength === null)
  if (!pads) return { truncation, padding: null }
  const { padToken, padId } = settings
  if (padToken === null || padId === null)
    throw new Error(
      'padding: the tokenizer has no padding token; set one, for example tokenizer.padToken = tokenizer.eosToken',
    )
  if (truncation && padToMultipleOf && truncation.maxLength % padToMultipleOf !== 0)
    throw new RangeError(
      `truncation to ${truncation.maxLength} tokens is no multiple of padToMultipleOf ${padToMultipleOf}`,
    )
  return {
    truncation,
    padding: {
      length: padding === 'max_length' ? maxLength : null,
      direction: options.paddingSide ?? settings.paddingSide,
      padToMultipleOf: padToMultipleOf ?? null,
      padId,
      padTypeId: settings.padTypeId,
      padToken,
    },
  }
}
