import { readIdx } from '../formats/idx.node.js'
import type { ArrayRow } from './arrays.js'
import { arraySource } from './arrays.js'
import { Dataset } from './dataset.js'
import { DataError } from './source.js'

/**
 * Images and labels in IDX files (MNIST's format, gzip or not) as rows `{ x, y }`: x in the file's dtype and shape,
 * y an i32 scalar.
 * @throws DataError where the files do not belong together, FormatError and FileError where one cannot be read
 */
export async function fromIdx(
  images: string,
  labels: string,
  options: { signal?: AbortSignal } = {},
): Promise<Dataset<ArrayRow<'x' | 'y'>>> {
  const [x, y] = await Promise.all([readIdx(images, options), readIdx(labels, options)])
  if (x.shape.length < 2) throw new DataError(`${images}: expected images with at least 2 axes, got shape [${x.shape}]`)
  if (y.shape.length !== 1 || y.dtype === 'f32' || y.dtype === 'f64') {
    throw new DataError(`${labels}: expected one integer label a row, got ${y.dtype} of shape [${y.shape}]`)
  }
  if (x.shape[0] !== y.shape[0]) {
    throw new DataError(`${images} has ${x.shape[0]} images, ${labels} has ${y.shape[0]} labels: they must agree`)
  }
  const targets = { dtype: 'i32', shape: y.shape, data: Int32Array.from(y.data, Number) } as const
  return new Dataset(arraySource({ x, y: targets }, (index) => `${images} item ${index}`))
}
