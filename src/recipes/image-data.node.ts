import { DataError } from '../data/index.js'
import { readIdx } from '../formats/index.node.js'
import type { ImageSize } from '../tasks/image-input.node.js'
import type { LabelledImages } from './image-source.js'
import type { DataFiles } from './paths.node.js'
import type { ImageRecipe } from './schema.js'

/** Images of one pair of IDX files. */
export interface ImageData extends LabelledImages {
  readonly count: number
  readonly size: ImageSize
}

/** @throws DataError where images and labels do not belong together, FormatError and FileError for files */
export async function readImages(images: string, labels: string, signal?: AbortSignal): Promise<ImageData> {
  const [x, y] = await Promise.all([readIdx(images, { signal }), readIdx(labels, { signal })])
  if (x.shape.length !== 3 && x.shape.length !== 4)
    throw new DataError(`${images}: expected images [count, height, width] with or without channels, got [${x.shape}]`)
  if (y.shape.length !== 1 || y.dtype === 'f32' || y.dtype === 'f64')
    throw new DataError(`${labels}: expected one whole number an image, got ${y.dtype} of shape [${y.shape}]`)
  if (x.shape[0] !== y.shape[0])
    throw new DataError(`${images} has ${x.shape[0]} images, ${labels} has ${y.shape[0]} labels: they must agree`)
  if (x.shape[0] === 0) throw new DataError(`${images}: there is no data, the file has no images`)
  const [count, height, width, channels = 1] = x.shape
  return { images: x, labels: Int32Array.from(y.data, Number), count, size: { height, width, channels } }
}

export interface ImageParts {
  readonly train: ImageData
  readonly test: ImageData | null
  readonly labels: readonly string[]
}

const greatest = (labels: Int32Array): number => labels.reduce((a, b) => Math.max(a, b), 0)

/** Reads the data of a recipe. `labels`: those of the model that training goes on from. */
export async function loadImageData(
  recipe: ImageRecipe,
  files: DataFiles,
  labels: readonly string[] | null,
  signal?: AbortSignal,
): Promise<ImageParts> {
  const { data } = recipe
  const read = async (part: 'train' | 'test'): Promise<ImageData | null> => {
    const pair = data[part]
    if (!pair) return null
    const images = await files.find(pair.images, `data.${part}.images`)
    return readImages(images, await files.find(pair.labels, `data.${part}.labels`), signal)
  }
  const train = (await read('train')) as ImageData
  const test = await read('test')
  const names = labels ?? data.labels ?? Array.from({ length: greatest(train.labels) + 1 }, (_, label) => String(label))
  for (const part of [train, test]) {
    if (!part) continue
    const wrong = part.labels.findIndex((label) => label < 0 || label >= names.length)
    if (wrong >= 0)
      throw new DataError(`image ${wrong} has the label ${part.labels[wrong]}, there are ${names.length} classes`)
    if (Object.values(part.size).join() !== Object.values(train.size).join())
      throw new DataError('training and test images differ in size')
  }
  return { train, test, labels: names }
}
