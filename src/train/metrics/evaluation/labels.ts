/** A class: numbers, strings or booleans, of one kind within a call. */
export type Label = number | string | boolean

/** Numbers in an array or typed array. */
export type Numbers = ArrayLike<number>

/** Rows of equal length. */
export type Matrix = ArrayLike<Numbers>

/** One class per example, or an indicator row of zeros and ones per example (multilabel). */
export type Targets = ArrayLike<Label> | Matrix

/** Weighs the examples of a score. */
export interface Weighted {
  /** One weight per example; all 1 where absent. */
  readonly sampleWeight?: Numbers | null
}

export const list = <T>(values: ArrayLike<T>): T[] => Array.from(values)

/** @throws RangeError unless both have the same, positive length. */
export function sameLength(name: string, a: ArrayLike<unknown>, b: ArrayLike<unknown>): void {
  if (a.length !== b.length)
    throw new RangeError(`${name}: expected arrays of one length, got ${a.length} and ${b.length}`)
  if (a.length === 0) throw new RangeError(`${name}: expected at least one example, got none`)
}

/** Weights of `n` examples. @throws RangeError for another number of weights. */
export function weightsOf(name: string, n: number, weights: Numbers | null | undefined): Float64Array {
  if (!weights) return new Float64Array(n).fill(1)
  if (weights.length !== n) throw new RangeError(`${name}: expected ${n} sample weights, got ${weights.length}`)
  return Float64Array.from(weights)
}

export const isMatrix = (targets: Targets): targets is Matrix => typeof targets[0] === 'object' && targets[0] !== null

/** Order of Python: numbers by value, strings by code point, false before true. */
export function compareLabels(a: Label, b: Label): number {
  if (typeof a === 'string' && typeof b === 'string') return compareCodePoints(a, b)
  return Number(a) - Number(b)
}

/** Compares strings by code point, not by UTF-16 unit. */
export function compareCodePoints(a: string, b: string): number {
  const [left, right] = [[...a], [...b]]
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const difference = (left[i].codePointAt(0) ?? 0) - (right[i].codePointAt(0) ?? 0)
    if (difference !== 0) return difference
  }
  return left.length - right.length
}

/** Sorted distinct labels of one or more arrays. @throws TypeError where strings and numbers are mixed. */
export function uniqueLabels(...arrays: ArrayLike<Label>[]): Label[] {
  const found = new Set<Label>()
  for (const array of arrays) for (let i = 0; i < array.length; i++) found.add(array[i])
  const kinds = new Set([...found].map((label) => (typeof label === 'string' ? 'string' : 'number')))
  if (kinds.size > 1) throw new TypeError('expected labels of one kind, got strings and numbers')
  return [...found].sort(compareLabels)
}

/** Index of each label in `classes`, -1 where it is not among them. */
export function encode(labels: ArrayLike<Label>, classes: readonly Label[]): Int32Array {
  const index = new Map(classes.map((label, i) => [label, i]))
  return Int32Array.from({ length: labels.length }, (_, i) => index.get(labels[i]) ?? -1)
}

/** Rows of a matrix. @throws RangeError where they differ in length. */
export function rowsOf(name: string, matrix: Matrix): Float64Array[] {
  const rows = Array.from({ length: matrix.length }, (_, i) => Float64Array.from(matrix[i]))
  const width = rows[0]?.length ?? 0
  for (const [i, row] of rows.entries())
    if (row.length !== width)
      throw new RangeError(`${name}: expected rows of ${width} numbers, row ${i} has ${row.length}`)
  return rows
}

/** Indicator rows. @throws RangeError where something else than 0 or 1 stands in them. */
export function indicatorRows(name: string, matrix: Matrix): Float64Array[] {
  const rows = rowsOf(name, matrix)
  for (const row of rows)
    for (const value of row)
      if (value !== 0 && value !== 1) throw new RangeError(`${name}: expected indicators 0 or 1, got ${value}`)
  return rows
}

/** Which class of two is the positive one: `given`, or 1 where it is absent and the classes are 0/1, -1/1 or booleans. */
export function positiveLabel(name: string, classes: readonly Label[], given: Label | null | undefined): Label {
  if (given !== undefined && given !== null) return classes.find((label) => Number(label) === given) ?? given
  if (classes.some((label) => typeof label === 'string'))
    throw new TypeError(`${name}: give posLabel, which of ${classes.map((label) => `'${label}'`).join(', ')} counts`)
  return classes.find((label) => Number(label) === 1) ?? 1
}
