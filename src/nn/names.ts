const counters = new Map<string, number>()

/** `Conv2D` -> `conv2d`, `MaxPooling2D` -> `max_pooling2d`, `LeakyReLU` -> `leaky_re_lu`: Keras' snake case. */
export const snakeName = (className: string): string =>
  className
    .replace(/\W+/g, '')
    .replace(/(.)([A-Z][a-z]+)/g, '$1_$2')
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase()

/** The next automatic name of a class: `dense`, `dense_1`, ... */
export function automaticName(className: string): string {
  const base = snakeName(className)
  const count = counters.get(base) ?? 0
  counters.set(base, count + 1)
  return count === 0 ? base : `${base}_${count}`
}

/** Starts automatic layer names over (as keras.utils.clear_session does). */
export const resetNames = (): void => counters.clear()
