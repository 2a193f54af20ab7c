import { ValueError } from './errors.js'
import { toIndex } from './operators.js'
import { Range, Tuple, type Value } from './values.js'
import { spend, spendText } from './work.js'

export type Bounds = readonly [start: Value, stop: Value, step: Value]

/** Places that a slice of `length` items takes, as Python's slice.indices. */
function places([start, stop, step]: Bounds, length: number): number[] {
  const bound = (value: Value, fallback: number, low: number, high: number): number => {
    if (value === null) return fallback
    const index = toIndex(value, 'slice indices')
    return Math.min(Math.max(index < 0 ? index + length : index, low), high)
  }
  const by = step === null ? 1 : toIndex(step, 'slice indices')
  if (by === 0) throw new ValueError('slice step cannot be zero')
  const found: number[] = []
  spend(length / Math.abs(by))
  if (by > 0) {
    const end = bound(stop, length, 0, length)
    for (let i = bound(start, 0, 0, length); i < end; i += by) found.push(i)
  } else {
    const end = bound(stop, -1, -1, length - 1)
    for (let i = bound(start, length - 1, -1, length - 1); i > end; i += by) found.push(i)
  }
  return found
}

/** value[start:stop:step]; undefined where the value has no slices. */
export function sliceOf(value: Value, bounds: Bounds): Value | undefined {
  if (typeof value === 'string') {
    spendText(value)
    const characters = [...value]
    return places(bounds, characters.length)
      .map((i) => characters[i])
      .join('')
  }
  if (Array.isArray(value)) return places(bounds, value.length).map((i) => value[i])
  if (value instanceof Tuple) return new Tuple(places(bounds, value.items.length).map((i) => value.items[i]))
  if (value instanceof Range) {
    const found = places(bounds, value.length())
    const step = value.step * BigInt(bounds[2] === null ? 1 : toIndex(bounds[2], 'slice indices'))
    if (found.length === 0) return new Range(value.start, value.start, step)
    const first = value.at(found[0])
    return new Range(first, first + step * BigInt(found.length), step)
  }
  return undefined
}

/** value[index]; undefined where there is no such item. */
export function itemAt(value: Value, index: Value): Value | undefined {
  if (typeof value === 'string') spendText(value)
  const items =
    typeof value === 'string' ? [...value] : Array.isArray(value) ? value : value instanceof Tuple ? value.items : null
  if (items === null && !(value instanceof Range)) return undefined
  if (typeof index !== 'bigint' && typeof index !== 'boolean') return undefined
  const length = items ? items.length : (value as Range).length()
  const at = Number(index) < 0 ? Number(index) + length : Number(index)
  if (!(at >= 0 && at < length)) return undefined
  return items ? items[at] : (value as Range).at(at)
}
