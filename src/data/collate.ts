/** Makes one batch of several rows. */
import type { HostArray } from '../formats/host-array.js'
import { isRecord, show } from '../formats/strict-json.js'
import type { DType, TypedArray } from '../ir/dtype.js'
import {
  hostArray,
  isHostArray,
  isNested,
  isTypedArray,
  type Nested,
  padFirstAxis,
  type Scalar,
  stack,
} from './host.js'
import { DataError } from './source.js'

/** What a batch of rows of type T looks like: numbers and arrays gain a first axis, strings are listed. */
export type Batched<T> = T extends string
  ? string[]
  : T extends HostArray | TypedArray | Scalar
    ? HostArray
    : T extends readonly (infer Item)[]
      ? Item extends Nested
        ? HostArray
        : { [K in keyof T]: Batched<T[K]> }
      : T extends object
        ? { [K in keyof T]: Batched<T[K]> }
        : unknown

/** One setting for all fields, or by the field's name. */
export type PerField<T> = T | Readonly<Record<string, T>>

export interface CollateOptions {
  /** Element type of fields that are JS numbers, booleans or bigints. Default f32, bool, i64. */
  dtypes?: PerField<DType>
}

export interface PadOptions extends CollateOptions {
  /** Length of the first axis after padding; longer rows are an error. Default: the batch's longest. */
  padTo?: PerField<number>
  /** Rounds the longest length up. */
  multipleOf?: PerField<number>
  /** What is filled in. Default 0. */
  padValues?: PerField<Scalar>
}

interface Collation {
  readonly options: PadOptions
  readonly pad: boolean
  readonly where: (row: number) => string | undefined
}

const settingOf = <T>(setting: PerField<T> | undefined, field: string): T | undefined => {
  if (!isRecord(setting)) return setting as T | undefined
  return Object.hasOwn(setting, field) ? (setting[field] as T) : undefined
}

/**
 * Stacks the rows of a batch, field by field.
 * @throws DataError that names field and row where shapes or kinds differ
 */
export function collate(
  rows: readonly unknown[],
  options: CollateOptions,
  where: (row: number) => string | undefined,
): unknown {
  return collateField(rows, '', { options, pad: false, where })
}

/** {@link collate}, with rows of different lengths filled up along their first axis. */
export function collatePadded(
  rows: readonly unknown[],
  options: PadOptions,
  where: (row: number) => string | undefined,
): unknown {
  return collateField(rows, '', { options, pad: true, where })
}

function fail(collation: Collation, row: number, field: string, message: string): never {
  const place = collation.where(row)
  throw new DataError(`${place === undefined ? '' : `${place}: `}${field === '' ? '' : `field "${field}": `}${message}`)
}

/** `field` is the path from the row, its segments joined by dots. */
function collateField(values: readonly unknown[], field: string, collation: Collation): unknown {
  const first = values[0]
  if (typeof first === 'string') return collateStrings(values, field, collation)
  if (isHostArray(first) || isTypedArray(first) || isNested(first)) return collateArrays(values, field, collation)
  if (Array.isArray(first) && typeof first[0] === 'string') return values
  if (Array.isArray(first)) {
    const sameLength = (value: unknown, row: number) =>
      Array.isArray(value) && value.length === first.length
        ? value
        : fail(collation, row, field, `expected ${first.length} parts, got ${show(value)}`)
    const tuples = values.map(sameLength)
    return first.map((_, i) =>
      collateField(
        tuples.map((tuple) => tuple[i]),
        join(field, String(i)),
        collation,
      ),
    )
  }
  if (isRecord(first) && isPlain(first)) return collateRecords(values, first, field, collation)
  return fail(
    collation,
    0,
    field,
    `cannot make a batch of ${describe(first)}: turn it into numbers, arrays or strings with map()`,
  )
}

const join = (field: string, key: string): string => (field === '' ? key : `${field}.${key}`)

const isPlain = (value: object): boolean => {
  const prototype = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

const describe = (value: unknown): string =>
  typeof value === 'object' && value !== null ? (value.constructor?.name ?? 'an object') : show(value)

function collateStrings(values: readonly unknown[], field: string, collation: Collation): string[] {
  return values.map((value, row) =>
    typeof value === 'string' ? value : fail(collation, row, field, `expected a string, got ${describe(value)}`),
  )
}

function collateRecords(
  values: readonly unknown[],
  first: Record<string, unknown>,
  field: string,
  collation: Collation,
): Record<string, unknown> {
  const batch: Record<string, unknown> = {}
  const keys = Object.keys(first)
  const records = values.map((value, row) => {
    if (!isRecord(value)) return fail(collation, row, field, `expected an object, got ${describe(value)}`)
    if (Object.keys(value).length === keys.length && keys.every((key) => Object.hasOwn(value, key))) return value
    return fail(collation, row, field, `expected the fields ${keys.join(', ')}, got ${Object.keys(value).join(', ')}`)
  })
  for (const key of keys)
    batch[key] = collateField(
      records.map((record) => record[key]),
      join(field, key),
      collation,
    )
  return batch
}

function collateArrays(values: readonly unknown[], field: string, collation: Collation): HostArray {
  const arrays = values.map((value, row) => toArray(value, row, field, collation))
  if (collation.pad && arrays[0].shape.length > 0) return stack(padAll(arrays, field, collation))
  const { dtype, shape } = arrays[0]
  arrays.forEach((array, row) => {
    if (array.dtype !== dtype) fail(collation, row, field, `is ${array.dtype}, the batch's first row is ${dtype}`)
    if (!sameShape(array.shape, shape)) {
      fail(
        collation,
        row,
        field,
        `has shape [${array.shape}], the batch's first row has [${shape}] (paddedBatch() fills up shorter rows)`,
      )
    }
  })
  return stack(arrays)
}

const sameShape = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((size, axis) => size === b[axis])

function toArray(value: unknown, row: number, field: string, collation: Collation): HostArray {
  const named = settingOf(collation.options.dtypes, field)
  if (isHostArray(value)) return value
  try {
    if (isTypedArray(value)) return hostArray(value, value instanceof Uint16Array ? named : undefined)
    if (isNested(value)) return hostArray(value, named)
  } catch (error) {
    return fail(collation, row, field, (error as Error).message)
  }
  return fail(collation, row, field, `expected numbers, got ${describe(value)}`)
}

function padAll(arrays: readonly HostArray[], field: string, collation: Collation): HostArray[] {
  const { padTo, multipleOf, padValues } = collation.options
  const longest = Math.max(...arrays.map((array) => array.shape[0] ?? 0))
  const step = settingOf(multipleOf, field) ?? 1
  const length = settingOf(padTo, field) ?? Math.ceil(longest / step) * step
  const { dtype, shape } = arrays[0]
  return arrays.map((array, row) => {
    if (array.dtype !== dtype)
      return fail(collation, row, field, `is ${array.dtype}, the batch's first row is ${dtype}`)
    if (array.shape.length !== shape.length || !sameShape(array.shape.slice(1), shape.slice(1))) {
      return fail(
        collation,
        row,
        field,
        `has shape [${array.shape}], the batch's first row has [${shape}]: only the first axis may differ`,
      )
    }
    if (array.shape[0] > length) {
      return fail(
        collation,
        row,
        field,
        `is ${array.shape[0]} long, padTo is ${length}: shorten it with map() or raise padTo`,
      )
    }
    return padFirstAxis(array, length, settingOf(padValues, field) ?? (dtype === 'i64' ? 0n : 0))
  })
}
