import { getItem } from '../access.js'
import { str } from '../repr.js'
import { type CallArguments, isInteger, Undefined, type Value } from '../values.js'

/** What filters can ask for. */
export interface Environment {
  filter(name: string, value: Value, args: CallArguments): Value
  test(name: string, value: Value, args: CallArguments): boolean
  /** Counts one step of work. @throws SecurityError where there were too many. */
  step(): void
}

export type Filter = (value: Value, args: CallArguments, environment: Environment) => Value

export type Getter = (item: Value) => Value

export const ignoreCase: Getter = (value) => (typeof value === 'string' ? value.toLowerCase() : value)

/** `a.b.0` or an integer as steps. */
function partsOf(attribute: Value): Value[] {
  if (attribute === null) return []
  if (isInteger(attribute)) return [attribute]
  return str(attribute)
    .split('.')
    .map((part) => (/^\d+$/.test(part) ? BigInt(part) : part))
}

/** Reads an attribute, dotted perhaps, of an item; the item itself where it is null. */
export function attributeGetter(attribute: Value, fallback: Value = null): Getter {
  const parts = partsOf(attribute)
  return (item) => {
    let value = item
    for (const part of parts) {
      value = getItem(value, part)
      if (fallback !== null && value instanceof Undefined) value = fallback
    }
    return value
  }
}
