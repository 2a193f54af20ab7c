import { readFile } from 'node:fs/promises'
import { hostArray, type Nested } from '../data/host.js'
import { fileError } from '../formats/atomic-file.node.js'
import { FormatError } from '../formats/errors.js'
import type { HostArray } from '../formats/host-array.js'
import { readIdx } from '../formats/idx.node.js'
import { parseNpy } from '../formats/npy.js'
import { parsePgm } from '../formats/pgm.js'
import type { TypedArray } from '../tensor/index.js'

/** An image: a file (PGM, npy, IDX), an array of pixel rows, or an array with a shape. */
export type ImageInput = string | Nested | HostArray | TypedArray

export interface ImageSize {
  readonly height: number
  readonly width: number
  readonly channels: number
}

/** Images of one input as raw pixel values. */
export interface Pixels {
  readonly source: string
  readonly images: readonly ArrayLike<number | bigint>[]
}

async function readImageFile(path: string): Promise<HostArray> {
  let bytes: Uint8Array
  try {
    bytes = await readFile(path)
  } catch (error) {
    throw fileError('cannot read', path, error)
  }
  if (bytes[0] === 0x93 && bytes[1] === 0x4e) return parseNpy(bytes, path)
  if (bytes[0] === 0x50 && (bytes[1] === 0x35 || bytes[1] === 0x32)) return parsePgm(bytes, path)
  const isIdx = (bytes[0] === 0 && bytes[1] === 0) || (bytes[0] === 0x1f && bytes[1] === 0x8b)
  if (!isIdx) throw new FormatError(`${path}: expected a PGM image, an npy array or an IDX file`)
  return readIdx(path)
}

/** Cuts an array into images of the model's size. Nothing is resized. */
function cut(array: HostArray, size: ImageSize, source: string): ArrayLike<number | bigint>[] {
  const { height, width, channels } = size
  const pixels = height * width * channels
  const shapes = [[height, width, channels], ...(channels === 1 ? [[height, width]] : [])]
  const fits = shapes.some((shape) => {
    const rest = array.shape.slice(array.shape.length - shape.length)
    return array.shape.length - shape.length <= 1 && rest.join() === shape.join()
  })
  const flat = array.shape.length === 1 && array.shape[0] === pixels
  if (!fits && !flat)
    throw new RangeError(
      `${source}: the model takes images of ${height} x ${width}${channels > 1 ? ` x ${channels}` : ''} pixels, got shape [${array.shape.join(', ')}]`,
    )
  if (array.dtype === 'f16' || array.dtype === 'bf16')
    throw new RangeError(`${source}: pixels as ${array.dtype} are not read; store them as u8 or f32`)
  const count = array.data.length / pixels
  return Array.from({ length: count }, (_, i) => array.data.subarray(i * pixels, (i + 1) * pixels))
}

/**
 * Reads one input; an IDX file or an array with one more dimension holds several images.
 * @throws RangeError where the size is not the model's, FormatError and FileError for files
 */
export async function readPixels(input: ImageInput, size: ImageSize, name: string): Promise<Pixels> {
  const source = typeof input === 'string' ? input : name
  const array = typeof input === 'string' ? await readImageFile(input) : hostArray(input)
  return { source, images: cut(array, size, source) }
}
