import type { DType } from '../../ir/index.js'
import { Tensor } from '../../tensor/tensor.js'

/** What expressions evaluate to. Lists and tuples are arrays; a function of the references is named by its {@link Path}. */
export type PyValue =
  | null
  | boolean
  | number
  | string
  | Tensor
  | DTypeValue
  | SliceValue
  | typeof ELLIPSIS
  | Path
  | NamedTuple
  | BoundMethod
  | PyDict
  | readonly PyValue[]

export const ELLIPSIS = Symbol('...')

export type PyDict = ReadonlyMap<string, PyValue>

export class DTypeValue {
  constructor(readonly dtype: DType) {}
}

export class SliceValue {
  constructor(
    readonly start: number | null,
    readonly stop: number | null,
    readonly step: number | null,
  ) {}
}

/** A dotted name that no input binds: `torch.linalg.det`, `F`, `lstm`. */
export class Path {
  constructor(readonly text: string) {}
}

/** A tuple whose items also have names, as `torch.topk` returns. */
export class NamedTuple {
  constructor(
    readonly items: readonly PyValue[],
    readonly names: readonly string[],
  ) {}
}

export class BoundMethod {
  constructor(
    readonly receiver: Tensor,
    readonly name: string,
  ) {}
}

/** Arguments of a call, after unpacking. */
export interface CallArgs {
  readonly positional: readonly PyValue[]
  readonly keywords: PyDict
}

export function describe(value: PyValue): string {
  if (value instanceof Tensor) return `a tensor ${value.dtype}[${value.shape.join(', ')}]`
  if (value instanceof DTypeValue) return `the dtype ${value.dtype}`
  if (value instanceof Path) return value.text
  if (value instanceof NamedTuple || Array.isArray(value)) return 'a tuple'
  if (value instanceof Map) return 'a dict'
  return typeof value === 'string' ? JSON.stringify(value) : String(value)
}

/** Items of a tuple or list. @throws TypeError for anything else. */
export function itemsOf(value: PyValue): readonly PyValue[] {
  if (value instanceof NamedTuple) return value.items
  if (Array.isArray(value)) return value as readonly PyValue[]
  throw new TypeError(`expected a tuple, got ${describe(value)}`)
}

export const isSequence = (value: PyValue): boolean => value instanceof NamedTuple || Array.isArray(value)

/** Python's values of JSON as the references write it. */
export function fromJson(json: unknown): PyValue {
  if (json === 'NaN') return Number.NaN
  if (json === 'Infinity') return Number.POSITIVE_INFINITY
  if (json === '-Infinity') return Number.NEGATIVE_INFINITY
  if (json === null || typeof json === 'boolean' || typeof json === 'number' || typeof json === 'string') return json
  if (Array.isArray(json)) return json.map(fromJson)
  if (typeof json === 'object') return new Map(Object.entries(json).map(([key, item]) => [key, fromJson(item)]))
  throw new TypeError(`expected JSON, got ${typeof json}`)
}

/** Tensors of a result in order, through nested tuples; plain numbers stay as they are. */
export function flattenResult(value: PyValue): (Tensor | number | boolean)[] {
  if (value instanceof Tensor || typeof value === 'number' || typeof value === 'boolean') return [value]
  if (isSequence(value)) return itemsOf(value).flatMap(flattenResult)
  throw new TypeError(`a reference's result is made of tensors, got ${describe(value)}`)
}
