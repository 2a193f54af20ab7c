/** An object as Keras writes it in a config. */
export interface KerasObject {
  module?: string
  class_name: string
  config: Record<string, unknown>
  registered_name?: string | null
}

export const isKerasObject = (x: unknown): x is KerasObject =>
  typeof x === 'object' && x !== null && 'class_name' in x && typeof x.class_name === 'string'

const descriptions = new WeakMap<object, KerasObject>()

/** Remembers how a function (an initializer, a regularizer, a constraint) is written in a config. */
export function describe<F extends object>(fn: F, module: string, className: string, config: object = {}): F {
  descriptions.set(fn, { module, class_name: className, config: { ...config }, registered_name: null })
  return fn
}

/**
 * What was remembered of a function.
 * @throws TypeError for a function that nothing is known of, naming `what` it is.
 */
export function descriptionOf(fn: object, what: string): KerasObject {
  const known = descriptions.get(fn)
  if (!known)
    throw new TypeError(
      `a ${what} given as a function cannot be saved; give it by name, or make it with nn's functions`,
    )
  return known
}

/** `kernelSize` -> `kernel_size`. */
export const toSnake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

/** `kernel_size` -> `kernelSize`. */
export const toCamel = (name: string): string =>
  name.replace(/_+([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())

/** The form in which names are compared: Keras' spelling and camelCase meet. */
export const canonicalName = (name: string): string => name.replaceAll('_', '').toLowerCase()

/** Keys in camelCase, values untouched. */
export const camelKeys = (config: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(config).map(([key, value]) => [toCamel(key), value]))
