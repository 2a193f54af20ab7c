import { isInteger } from '../../ir/index.js'
import { bufferOf, isRealised } from '../../runtime/index.js'
import { tensor } from '../core.js'
import { fail, range, typeText } from '../dims.js'
import { Tensor } from '../tensor.js'

/** `[start, end, step]` as Python's start:end:step; missing and null parts take their defaults. */
export type RangeIndex = readonly [start?: number | null, end?: number | null, step?: number | null]

/**
 * One item of an index: a number (drops the dimension), a range, `null` (a new dimension), integer or bool tensors, or text:
 * '1:', '::2', '...', '3', or several with commas ('1:, ..., ::2').
 */
export type Index = number | null | string | RangeIndex | Tensor

export type Item =
  | { readonly kind: 'int'; readonly at: number }
  | { readonly kind: 'range'; readonly parts: RangeIndex }
  | { readonly kind: 'new' }
  | { readonly kind: 'ellipsis' }
  | { readonly kind: 'tensor'; readonly index: Tensor }

const WHOLE: Item = { kind: 'range', parts: [] }
const NEW_NAMES: readonly string[] = ['null', 'none', 'newaxis']

function parsePart(text: string, whole: string): number | null {
  const trimmed = text.trim()
  if (trimmed === '') return null
  const number = Number(trimmed)
  if (!Number.isInteger(number)) throw fail('at', `'${trimmed}' in the index '${whole}' is not an integer`)
  return number
}

function parseText(text: string, whole: string): Item {
  const trimmed = text.trim()
  if (trimmed === '...') return { kind: 'ellipsis' }
  if (NEW_NAMES.includes(trimmed.toLowerCase())) return { kind: 'new' }
  const parts = trimmed.split(':')
  if (parts.length > 3) throw fail('at', `'${trimmed}' in the index '${whole}' is not start:end:step`)
  if (parts.length > 1) {
    const [start, end, step] = parts.map((part) => parsePart(part, whole))
    return { kind: 'range', parts: [start, end, step] }
  }
  const at = parsePart(trimmed, whole)
  if (at === null) throw fail('at', `the index '${whole}' has an empty part; write ':' for a whole dimension`)
  return { kind: 'int', at }
}

/** Contents of a tensor that has them already, else null. */
export function knownContents(x: Tensor): ArrayLike<number | bigint> | null {
  const { node } = x.value
  if (node.op === 'constant') {
    const data = (node.attrs as { data: ArrayLike<number | bigint> }).data
    return data.length === x.size ? data : Array.from({ length: x.size }, () => data[0])
  }
  const buffer = isRealised(node) ? bufferOf(x.value) : null
  return buffer && !buffer.ready ? buffer.array : null
}

/** A bool mask as one index vector for each of its dimensions. */
function maskItems(mask: Tensor): Item[] {
  const contents = knownContents(mask)
  if (!contents) {
    throw fail(
      'at',
      `the number of elements that the mask ${typeText(mask)} selects is not known yet; use await maskedSelect(x, mask), ` +
        'where(mask, x, 0), or read the mask first',
    )
  }
  const places: number[][] = mask.shape.map(() => [])
  for (let i = 0; i < mask.size; i++) {
    if (!contents[i]) continue
    let rest = i
    for (let dim = mask.ndim - 1; dim >= 0; dim--) {
      places[dim].push(rest % mask.shape[dim])
      rest = Math.floor(rest / mask.shape[dim])
    }
  }
  return places.map((list) => ({ kind: 'tensor', index: tensor(Int32Array.from(list)) }))
}

function itemsOf(index: Index): Item[] {
  if (typeof index === 'string') return index.split(',').map((part) => parseText(part, index))
  if (index === null) return [{ kind: 'new' }]
  if (typeof index === 'number') {
    if (!Number.isInteger(index)) throw fail('at', `${index} is not an integer`)
    return [{ kind: 'int', at: index }]
  }
  if (index instanceof Tensor) {
    if (index.dtype === 'bool' && index.ndim > 0) return maskItems(index)
    if (!isInteger(index.dtype))
      throw fail('at', `an index tensor must be integer or bool, got ${typeText(index)}; convert with .to('i32')`)
    return [{ kind: 'tensor', index }]
  }
  if (
    !Array.isArray(index) ||
    index.length > 3 ||
    index.some((part) => part !== null && part !== undefined && !Number.isInteger(part))
  )
    throw fail(
      'at',
      `[${String(index)}] is not a range [start, end, step]; for a list of places use tensor([...], { dtype: 'i32' })`,
    )
  return [{ kind: 'range', parts: index as RangeIndex }]
}

/** Items with the ellipsis and missing dimensions spelled out. */
export function resolveItems(x: Tensor, indices: readonly Index[]): Item[] {
  const items = indices.flatMap(itemsOf)
  const used = items.filter((item) => item.kind !== 'new' && item.kind !== 'ellipsis').length
  const ellipses = items.filter((item) => item.kind === 'ellipsis').length
  if (used > x.ndim) throw fail('at', `${used} indices for ${typeText(x)}, which has ${x.ndim} dimensions`)
  if (ellipses > 1) throw fail('at', "only one '...' is possible")
  const rest = range(x.ndim - used).map(() => WHOLE)
  return ellipses === 0 ? [...items, ...rest] : items.flatMap((item) => (item.kind === 'ellipsis' ? rest : [item]))
}

/** What one dimension becomes: elements first, first + step, ... (count of them). */
export interface Cut {
  readonly start: number
  readonly limit: number
  readonly stride: number
  readonly reversed: boolean
}

/** Python's rule for start:end:step on a dimension of `extent`. */
export function resolveRange([start, end, step]: RangeIndex, extent: number): Cut {
  const by = step ?? 1
  if (by === 0) throw fail('at', 'the step of a range must not be 0')
  const clampTo = (value: number, low: number, high: number): number =>
    Math.min(Math.max(value < 0 ? value + extent : value, low), high)
  if (by > 0) {
    const from = start === null || start === undefined ? 0 : clampTo(start, 0, extent)
    const to = end === null || end === undefined ? extent : clampTo(end, 0, extent)
    return { start: from, limit: Math.max(from, to), stride: by, reversed: false }
  }
  const from = start === null || start === undefined ? extent - 1 : clampTo(start, -1, extent - 1)
  const to = end === null || end === undefined ? -1 : clampTo(end, -1, extent - 1)
  const count = Math.max(0, Math.ceil((from - to) / -by))
  if (count === 0) return { start: 0, limit: 0, stride: 1, reversed: false }
  return { start: from + (count - 1) * by, limit: from + 1, stride: -by, reversed: true }
}

export function resolveInt(x: Tensor, at: number, dim: number): Cut {
  const extent = x.shape[dim]
  if (at < -extent || at >= extent) throw fail('at', `index ${at} leaves dimension ${dim} of ${typeText(x)}`)
  const start = at < 0 ? at + extent : at
  return { start, limit: start + 1, stride: 1, reversed: false }
}
