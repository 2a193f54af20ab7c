/**
 * IDX, the format of the MNIST family: two zero bytes, an element type, the number of axes, their sizes (u32, big-endian),
 * then the elements, big-endian. Source: http://yann.lecun.com/exdb/mnist/ ("The IDX file format").
 */

import { type DType, dtypeBytes } from '../ir/dtype.js'
import { FormatError } from './errors.js'
import { arrayFromBytes, elementCount, type HostArray } from './host-array.js'

const ELEMENT_TYPES: ReadonlyMap<number, DType> = new Map([
  [0x08, 'u8'],
  [0x09, 'i8'],
  [0x0b, 'i16'],
  [0x0c, 'i32'],
  [0x0d, 'f32'],
  [0x0e, 'f64'],
])

export interface IdxHeader {
  readonly dtype: DType
  readonly shape: readonly number[]
  readonly headerBytes: number
  readonly fileBytes: number
}

/** Longest header: 255 axes. */
export const MAX_IDX_HEADER_BYTES = 4 + 4 * 255

/**
 * Reads the header from a file's first bytes (all of it, or at least {@link MAX_IDX_HEADER_BYTES}).
 * @throws FormatError
 */
export function parseIdxHeader(prefix: Uint8Array, source: string): IdxHeader {
  const [zero, alsoZero, code, rank] = prefix
  if (prefix.length < 4) throw new FormatError(`${source}: an IDX file starts with 4 bytes, this has ${prefix.length}`)
  const dtype = ELEMENT_TYPES.get(code)
  if (zero !== 0 || alsoZero !== 0 || dtype === undefined) {
    const hex = Array.from(prefix.subarray(0, 4), (byte) => byte.toString(16).padStart(2, '0')).join(' ')
    throw new FormatError(
      `${source}: not an IDX file: expected 00 00 and an element type of 08, 09, 0b to 0e, got ${hex}`,
    )
  }
  const headerBytes = 4 + 4 * rank
  if (prefix.length < headerBytes) {
    throw new FormatError(
      `${source}: ends within the sizes of its ${rank} axes: expected ${headerBytes} bytes, got ${prefix.length}`,
    )
  }
  const view = new DataView(prefix.buffer, prefix.byteOffset, prefix.byteLength)
  const shape = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis))
  const count = elementCount(shape)
  const fileBytes = headerBytes + (count ?? Number.POSITIVE_INFINITY) * dtypeBytes(dtype)
  if (!Number.isSafeInteger(fileBytes)) throw new FormatError(`${source}: shape [${shape}] is larger than any file`)
  return { dtype, shape, headerBytes, fileBytes }
}

/** Reads an (uncompressed) IDX file. @throws FormatError where its length is not what the header says */
export function parseIdx(bytes: Uint8Array, source = 'IDX'): HostArray {
  const { dtype, shape, headerBytes, fileBytes } = parseIdxHeader(bytes, source)
  if (bytes.length !== fileBytes) {
    throw new FormatError(
      `${source}: ${dtype} of shape [${shape}] makes a file of ${fileBytes} bytes, this has ${bytes.length}`,
    )
  }
  return { dtype, shape, data: arrayFromBytes(bytes.subarray(headerBytes), dtype, 'big') }
}
