import { bytesOf, type HostArray } from '../formats/host-array.js'
import { allocateArray, arrayConstructor, dtypeBytes, type TypedArray } from '../ir/dtype.js'
import { hostArray, type Nested } from './host.js'
import { DataError, type RowView, rowSource, type Source } from './source.js'

export type ArrayRow<K extends string> = { readonly [Field in K]: HostArray }

interface Column {
  readonly field: string
  readonly array: HostArray
  readonly rowShape: readonly number[]
  readonly rowSize: number
}

function columnOf(field: string, value: HostArray | TypedArray | Nested): Column {
  let array: HostArray
  try {
    array = hostArray(value)
  } catch (error) {
    throw new DataError(`field "${field}": ${(error as Error).message}`)
  }
  if (array.shape.length === 0)
    throw new DataError(`field "${field}": expected an array whose first axis counts rows, got a scalar`)
  const rowShape = array.shape.slice(1)
  return { field, array, rowShape, rowSize: rowShape.reduce((product, size) => product * size, 1) }
}

/** Row `index`, sharing memory with the array. */
function rowOf({ array, rowShape, rowSize }: Column, index: number): HostArray {
  const { dtype, data } = array
  const start = data.byteOffset + index * rowSize * dtypeBytes(dtype)
  return { dtype, shape: rowShape, data: new (arrayConstructor(dtype))(data.buffer, start, rowSize) }
}

function gatherColumn({ array, rowShape, rowSize }: Column, indices: Uint32Array): HostArray {
  const { dtype } = array
  const data = allocateArray(dtype, indices.length * rowSize)
  const [from, to] = [bytesOf(array.data), bytesOf(data)]
  const stride = rowSize * dtypeBytes(dtype)
  for (let i = 0; i < indices.length; i++) {
    const start = indices[i] * stride
    to.set(from.subarray(start, start + stride), i * stride)
  }
  return { dtype, shape: [indices.length, ...rowShape], data }
}

/**
 * Rows of arrays that agree in their first axis. `where` names a row in errors.
 * @throws DataError where lengths differ, or there are no fields
 */
export function arraySource<K extends string>(
  fields: Readonly<Record<K, HostArray | TypedArray | Nested>>,
  where: (index: number) => string = (index) => `row ${index}`,
): Source<ArrayRow<K>> {
  const columns = (Object.keys(fields) as K[]).map((field) => columnOf(field, fields[field]))
  if (columns.length === 0) throw new DataError('expected at least one array, got none')
  const length = columns[0].array.shape[0]
  for (const { field, array } of columns) {
    if (array.shape[0] !== length) {
      throw new DataError(
        `field "${field}" has ${array.shape[0]} rows, field "${columns[0].field}" has ${length}: they must agree`,
      )
    }
  }
  const collect = (of: (column: Column) => HostArray) =>
    Object.fromEntries(columns.map((column) => [column.field, of(column)])) as ArrayRow<K>
  const view: RowView<ArrayRow<K>> = {
    length,
    where,
    at: (index) => collect((column) => rowOf(column, index)),
    gather: (indices) => collect((column) => gatherColumn(column, indices)),
  }
  return rowSource(length, () => view)
}

export interface WindowOptions {
  /** Elements a window. */
  length: number
  /** Elements between the starts of windows. Default `length`: every element is predicted once. */
  stride?: number
}

/**
 * Windows of a sequence for next-element prediction, as rows `{ x, y }` of shape [length]: y is x moved on by one.
 * @throws DataError where the sequence is too short for one window
 */
export function windowSource(
  sequence: HostArray | TypedArray,
  { length, stride = length }: WindowOptions,
): Source<ArrayRow<'x' | 'y'>> {
  const { dtype, shape, data } = hostArray(sequence)
  for (const [name, value] of Object.entries({ length, stride })) {
    if (!Number.isSafeInteger(value) || value < 1)
      throw new TypeError(`fromWindows: ${name} should be a positive integer, got ${value}`)
  }
  if (shape.length !== 1) throw new DataError(`fromWindows: expected a sequence (one axis), got shape [${shape}]`)
  if (data.length < length + 1)
    throw new DataError(
      `fromWindows: a window of ${length} and its next element need ${length + 1} elements, the sequence has ${data.length}`,
    )
  const size = dtypeBytes(dtype)
  const bytes = bytesOf(data)
  const piece = (start: number): HostArray => ({
    dtype,
    shape: [length],
    data: new (arrayConstructor(dtype))(data.buffer, data.byteOffset + start * size, length),
  })
  const gather = (indices: Uint32Array, shift: number): HostArray => {
    const result = allocateArray(dtype, indices.length * length)
    const to = bytesOf(result)
    indices.forEach((index, i) => {
      const start = (index * stride + shift) * size
      to.set(bytes.subarray(start, start + length * size), i * length * size)
    })
    return { dtype, shape: [indices.length, length], data: result }
  }
  const view: RowView<ArrayRow<'x' | 'y'>> = {
    length: Math.floor((data.length - 1 - length) / stride) + 1,
    where: (index) => `window ${index}`,
    at: (index) => ({ x: piece(index * stride), y: piece(index * stride + 1) }),
    gather: (indices) => ({ x: gather(indices, 0), y: gather(indices, 1) }),
  }
  return rowSource(view.length, () => view)
}
