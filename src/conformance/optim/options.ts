import { fromJson, type PyValue } from '../ops/values.js'

/** `weight_decay` as `weightDecay`, `T_max` as `tMax`, `beta_1` as `beta1`. */
export function camelCase(name: string): string {
  const parts = name.split('_').filter((part) => part.length > 0)
  const [first = '', ...rest] = parts
  return (
    first.charAt(0).toLowerCase() +
    first.slice(1) +
    rest.map((part) => part.charAt(0).toUpperCase() + part.slice(1)).join('')
  )
}

/** Options as the references name them, under this package's names. */
export function allOptions(options: Readonly<Record<string, unknown>>): Record<string, PyValue> {
  return Object.fromEntries(Object.entries(options).map(([name, value]) => [camelCase(name), fromJson(value)]))
}

/** {@link allOptions} without those that are absent (None). */
export const camelOptions = (options: Readonly<Record<string, unknown>>): Record<string, PyValue> =>
  Object.fromEntries(Object.entries(allOptions(options)).filter(([, value]) => value !== null))
