import { permutation } from '../data/rng.js'
import type { HostArray } from '../formats/index.js'
import { tensor } from '../tensor/index.js'
import type { Batch, EpochSource } from '../train/index.js'
import { streamOf } from './random-stream.js'

export interface ImageSourceOptions {
  readonly batchSize: number
  /** Null keeps the order: for evaluation. */
  readonly shuffleSeed: number | null
  /** What pixel values are multiplied by. */
  readonly rescale: number
  readonly flip: boolean
  readonly shift: number
}

/** Grey images [n, height, width] or images with channels [n, height, width, channels], and their labels. */
export interface LabelledImages {
  readonly images: HostArray
  readonly labels: Int32Array
}

/** Batches of images as f32 [batch, height, width, channels], made on the host: 8-bit images stay 8-bit in memory. */
export class ImageSource implements EpochSource {
  readonly examples: number
  readonly batches: number
  private readonly height: number
  private readonly width: number
  private readonly channels: number

  /** Reads the rows `from` to `to`. */
  constructor(
    private readonly data: LabelledImages,
    private readonly from: number,
    to: number,
    private readonly options: ImageSourceOptions,
  ) {
    const [, height, width, channels = 1] = data.images.shape
    this.height = height
    this.width = width
    this.channels = channels
    this.examples = to - from
    if (this.examples < 1) throw new RangeError('there is no data: no images are left after splitting')
    this.batches = Math.ceil(this.examples / options.batchSize)
  }

  *epoch(epoch: number, start = 0): Iterable<Batch> {
    const { batchSize, shuffleSeed } = this.options
    const order = shuffleSeed === null ? null : permutation(this.examples, shuffleSeed, epoch)
    for (let at = start * batchSize; at < this.examples; at += batchSize) {
      const size = Math.min(batchSize, this.examples - at)
      const rows = Array.from({ length: size }, (_, i) => this.from + (order ? order[at + i] : at + i))
      yield this.batch(rows, epoch)
    }
  }

  private batch(rows: readonly number[], epoch: number): Batch {
    const { height, width, channels } = this
    const pixels = new Float32Array(rows.length * height * width * channels)
    for (const [i, row] of rows.entries()) this.copyImage(row, epoch, pixels, i * height * width * channels)
    const shape = [rows.length, height, width, channels]
    const labels = Int32Array.from(rows, (row) => this.data.labels[row])
    return { x: [tensor(pixels, { shape })], y: [tensor(labels)], sampleWeight: null, size: rows.length }
  }

  private copyImage(row: number, epoch: number, target: Float32Array, at: number): void {
    const { height, width, channels } = this
    const { rescale, shuffleSeed, flip, shift } = this.options
    const source = this.data.images.data
    const start = row * height * width * channels
    if (shuffleSeed === null || (!flip && shift === 0)) {
      for (let i = 0; i < height * width * channels; i++) target[at + i] = Number(source[start + i]) * rescale
      return
    }
    const random = streamOf(shuffleSeed, row, epoch)
    const mirrored = random() < 0.5 && flip
    const down = Math.floor(random() * (2 * shift + 1)) - shift
    const right = Math.floor(random() * (2 * shift + 1)) - shift
    for (let y = 0; y < height; y++) {
      const fromY = y - down
      if (fromY < 0 || fromY >= height) continue
      for (let x = 0; x < width; x++) {
        const shifted = x - right
        if (shifted < 0 || shifted >= width) continue
        const fromX = mirrored ? width - 1 - shifted : shifted
        for (let c = 0; c < channels; c++)
          target[at + (y * width + x) * channels + c] =
            Number(source[start + (fromY * width + fromX) * channels + c]) * rescale
      }
    }
  }
}
