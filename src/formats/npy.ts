/**
 * NumPy's .npy: a magic string, a version, a header that is a Python dictionary literal, then the elements.
 * Source: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 */
import { arrayConstructor, type DType, dtypeBytes, type TypedArray } from '../ir/dtype.js'
import { FormatError } from './errors.js'
import { arrayFromBytes, checkHostArray, elementCount, type HostArray, littleEndianBytes } from './host-array.js'
import { show } from './strict-json.js'

const MAGIC = Uint8Array.of(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59)

/** NumPy's type letter and size. bf16 has no NumPy type. */
const DTYPE_OF_CODE: ReadonlyMap<string, DType> = new Map([
  ['f4', 'f32'],
  ['f8', 'f64'],
  ['f2', 'f16'],
  ['i1', 'i8'],
  ['i2', 'i16'],
  ['i4', 'i32'],
  ['i8', 'i64'],
  ['u1', 'u8'],
  ['u4', 'u32'],
  ['b1', 'bool'],
])
const CODE_OF_DTYPE: ReadonlyMap<DType, string> = new Map([...DTYPE_OF_CODE].map(([code, dtype]) => [dtype, code]))

interface NpyHeader {
  readonly dtype: DType
  readonly order: 'little' | 'big'
  readonly fortran: boolean
  readonly shape: readonly number[]
}

/**
 * Reads a .npy file from its bytes. Fortran order is turned into row-major order.
 * @throws FormatError where it is malformed or holds Python objects
 */
export function parseNpy(bytes: Uint8Array, source = 'npy'): HostArray {
  const { text, dataStart } = headerText(bytes, source)
  const { dtype, order, fortran, shape } = parseHeader(text, source)
  const expected = (elementCount(shape) ?? Number.POSITIVE_INFINITY) * dtypeBytes(dtype)
  const held = bytes.length - dataStart
  if (held !== expected)
    throw new FormatError(`${source}: ${dtype} of shape [${shape}] takes ${expected} bytes, the file holds ${held}`)
  const data = arrayFromBytes(bytes.subarray(dataStart), dtype, order)
  return { dtype, shape, data: fortran && shape.length > 1 ? toRowMajor(data, dtype, shape) : data }
}

function headerText(bytes: Uint8Array, source: string): { text: string; dataStart: number } {
  if (bytes.length < 10 || MAGIC.some((byte, i) => bytes[i] !== byte)) {
    throw new FormatError(`${source}: not a .npy file: expected it to start with "\\x93NUMPY"`)
  }
  const version = bytes[6]
  if (version < 1 || version > 3)
    throw new FormatError(`${source}: expected .npy version 1, 2 or 3, got ${version}.${bytes[7]}`)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const start = version === 1 ? 10 : 12
  const length =
    version === 1 ? view.getUint16(8, true) : bytes.length < 12 ? Number.POSITIVE_INFINITY : view.getUint32(8, true)
  if (start + length > bytes.length) {
    throw new FormatError(`${source}: the header should end at byte ${start + length}, the file has ${bytes.length}`)
  }
  return { text: new TextDecoder('latin1').decode(bytes.subarray(start, start + length)), dataStart: start + length }
}

/** The only form NumPy writes: the keys `descr`, `fortran_order`, `shape`, in any order. */
function parseHeader(text: string, source: string): NpyHeader {
  const fail = (what: string): never => {
    throw new FormatError(`${source}: header: ${what} in ${show(text.trim(), 120)}`)
  }
  if (!/^\{.*\}\s*$/s.test(text)) fail('expected a dictionary')
  const field = (key: string, value: RegExp) => {
    const found = [...text.matchAll(new RegExp(`'${key}'\\s*:\\s*(${value.source})\\s*[,}]`, 'g'))]
    return found.length === 1 ? found[0][1] : fail(`expected one readable '${key}'`)
  }
  const descr = field('descr', /'[^']*'|\[[^\]]*\]/).replaceAll("'", '')
  const [, mark, code] = /^([<>|=])(.*)$/.exec(descr) ?? fail(`expected a plain element type, got ${show(descr)}`)
  if (code === 'O') fail('Python objects are not read: they could run code')
  const dtype =
    DTYPE_OF_CODE.get(code) ??
    fail(`expected an element type of ${[...DTYPE_OF_CODE.keys()].join(', ')}, got ${show(descr)}`)
  const sizes = field('shape', /\(\s*(?:\d+\s*,\s*)*(?:\d+\s*)?\)/).slice(1, -1)
  const shape = sizes
    .split(',')
    .map((size) => size.trim())
    .filter((size) => size !== '')
    .map(Number)
  return {
    dtype,
    order: mark === '>' ? 'big' : 'little',
    fortran: field('fortran_order', /True|False/) === 'True',
    shape,
  }
}

/** Elements stored with the first axis fastest, reordered so that the last is. */
function toRowMajor(data: TypedArray, dtype: DType, shape: readonly number[]): TypedArray {
  const result = new (arrayConstructor(dtype))(data.length)
  const strides = shape.map((_, axis) => shape.slice(0, axis).reduce((product, size) => product * size, 1))
  const index = shape.map(() => 0)
  for (let to = 0, from = 0; to < data.length; to++) {
    result[to] = data[from]
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis]
      if (++index[axis] < shape[axis]) break
      from -= strides[axis] * shape[axis]
      index[axis] = 0
    }
  }
  return result
}

/** The bytes of a .npy file (version 1, or 2 for a long header). @throws TypeError for bf16, which NumPy lacks */
export function serializeNpy(array: HostArray): Uint8Array {
  checkHostArray(array, 'array')
  const code = CODE_OF_DTYPE.get(array.dtype)
  if (code === undefined) throw new TypeError(`NumPy has no ${array.dtype}: convert it to f32 first`)
  const mark = dtypeBytes(array.dtype) === 1 ? '|' : '<'
  const sizes = array.shape.length === 1 ? `${array.shape[0]},` : array.shape.join(', ')
  const text = `{'descr': '${mark}${code}', 'fortran_order': False, 'shape': (${sizes}), }`
  const version = text.length + 10 + 64 > 0xffff ? 2 : 1
  const start = version === 1 ? 10 : 12
  const dataStart = Math.ceil((start + text.length + 1) / 64) * 64 // NumPy aligns the elements to 64 bytes
  const data = littleEndianBytes(array.data)
  const file = new Uint8Array(dataStart + data.length)
  file.set(MAGIC)
  file[6] = version
  const view = new DataView(file.buffer)
  if (version === 1) view.setUint16(8, dataStart - start, true)
  else view.setUint32(8, dataStart - start, true)
  file.set(new TextEncoder().encode(`${text.padEnd(dataStart - start - 1)}\n`), start)
  file.set(data, dataStart)
  return file
}
