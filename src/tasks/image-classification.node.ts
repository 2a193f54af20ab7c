import { tensor } from '../tensor/index.js'
import { type ImageInput, readPixels } from './image-input.node.js'
import { compiledForward, type LoadedModel } from './model-folder.node.js'
import { type Classification, type ClassifyOptions, checkCount, classificationOf } from './types.js'

export interface ClassifyImageOptions extends ClassifyOptions {
  /** Values were multiplied by the model's `rescale` already. Default: they are pixel values as in the training files, 0 to 255. */
  readonly scaled?: boolean
}

/** What is said of one image. */
export interface ImageClassification extends Classification {
  /** The file, or the number of the input; files with several images add the image's number. */
  readonly input: string
}

/** Classifies images of the model's size: files (PGM, npy, IDX) or arrays. */
export interface ImageClassifier {
  readonly task: 'image-classification'
  readonly model: string
  readonly labels: readonly string[]
  /** One result an image, in order. @throws RangeError where the size is not the model's */
  (inputs: readonly ImageInput[], options?: ClassifyImageOptions): Promise<ImageClassification[]>
}

interface NamedImage {
  readonly name: string
  readonly pixels: ArrayLike<number | bigint>
}

export function imageClassifier({ config, name, model }: LoadedModel): ImageClassifier {
  if (config.task !== 'image-classification')
    throw new TypeError(`${name} is a model for ${config.task}, not for image-classification`)
  const { labels, image } = config
  const { height, width, channels } = image
  const size = height * width * channels
  const forward = compiledForward(model)

  async function classifyBatch(part: readonly NamedImage[], factor: number): Promise<Float32Array> {
    const block = new Float32Array(part.length * size)
    for (const [row, { pixels }] of part.entries())
      for (let i = 0; i < size; i++) block[row * size + i] = Number(pixels[i]) * factor
    return (await forward(tensor(block, { shape: [part.length, height, width, channels] })).data()) as Float32Array
  }

  const classify = async (inputs: readonly ImageInput[], options: ClassifyImageOptions = {}) => {
    const batchSize = checkCount('batchSize', options.batchSize ?? 32)
    const topK = checkCount('topK', options.topK ?? labels.length)
    const images: NamedImage[] = []
    for (const [i, input] of inputs.entries()) {
      const read = await readPixels(input, image, `input ${i + 1}`)
      const several = read.images.length > 1
      images.push(...read.images.map((pixels, k) => ({ name: several ? `${read.source}[${k}]` : read.source, pixels })))
    }
    const results: ImageClassification[] = []
    for (let at = 0; at < images.length; at += batchSize) {
      options.signal?.throwIfAborted()
      const part = images.slice(at, at + batchSize)
      const logits = await classifyBatch(part, options.scaled ? 1 : image.rescale)
      for (const [row, { name: input }] of part.entries()) {
        const own = logits.subarray(row * labels.length, (row + 1) * labels.length)
        results.push({ input, ...classificationOf(own, labels, topK, name) })
      }
    }
    return results
  }
  return Object.assign(classify, { task: config.task, model: name, labels })
}
