/** What image models share. Shapes: B batch, C channels, P patches, H features. */
import { Module, torch } from '../../nn/index.js'
import { interpolate } from '../../tensor/functional/index.js'
import {
  add,
  asTensor,
  cat,
  Parameter,
  permute,
  random,
  reshape,
  type Tensor,
  type TensorLike,
  zeros,
} from '../../tensor/index.js'
import type { ModelInputs } from '../pretrained/io.js'
import type { Initialises } from '../pretrained/model.js'

export type Extent = number | readonly number[]

/** An extent for both sides, or one for each, as [height, width]. */
export function pairOf(extent: Extent): readonly [number, number] {
  if (typeof extent === 'number') return [extent, extent]
  if (extent.length !== 2) throw new RangeError(`expected one extent or two, got [${extent.join(', ')}]`)
  return [extent[0], extent[1]]
}

/** Images [B, C, height, width]. @throws TypeError without them, RangeError for another number of channels */
export function imagesOf({ pixel_values: given }: ModelInputs, channels: number): Tensor {
  if (given === null || given === undefined) throw new TypeError('this model needs pixel_values')
  const images = asTensor(given as TensorLike)
  if (images.ndim !== 4 || images.shape[1] !== channels)
    throw new RangeError(`pixel_values must be [batch, ${channels}, height, width], got [${images.shape.join(', ')}]`)
  return images
}

/** [B, H, rows, columns] as [B, rows * columns, H]. */
export const flattenGrid = (x: Tensor): Tensor => permute(reshape(x, [x.shape[0], x.shape[1], -1]), [0, 2, 1])

/** [B, rows * columns, H] as [B, H, rows, columns]. */
export const unflattenGrid = (x: Tensor, rows: number, columns: number): Tensor =>
  reshape(permute(x, [0, 2, 1]), [x.shape[0], x.shape[2], rows, columns])

/**
 * Vectors of a square grid of places [1, lead + P, H] for another grid, by bicubic interpolation; the first `lead` (a class token's)
 * stay.
 */
export function placesForGrid(places: Tensor, lead: number, rows: number, columns: number): Tensor {
  const count = places.shape[1] - lead
  const side = Math.trunc(Math.sqrt(count))
  if (rows * columns === count && rows === columns) return places
  const width = places.shape[2]
  const grid = permute(reshape(places.narrow(1, lead, count), [1, side, side, width]), [0, 3, 1, 2])
  const moved = interpolate(grid, { size: [rows, columns], mode: 'cubic', alignCorners: false })
  const flat = reshape(permute(moved, [0, 2, 3, 1]), [1, rows * columns, width])
  return lead === 0 ? flat : cat([places.narrow(1, 0, lead), flat], 1)
}

/** Drops whole examples of a residual branch in training (Huang et al. 2016). */
export class DropPath extends Module {
  constructor(private readonly p: number) {
    super()
  }

  forward(x: Tensor): Tensor {
    if (!this.training || this.p === 0) return x
    const keep = 1 - this.p
    const shape = x.shape.map((extent, i) => (i === 0 ? extent : 1))
    return x.mul(random.bernoulli(shape, keep).to(x.dtype)).div(keep)
  }
}

class Projection extends Module {
  readonly projection: torch.Conv2d

  constructor(channels: number, width: number, patch: readonly [number, number]) {
    super()
    this.projection = new torch.Conv2d(channels, width, patch, { stride: patch })
  }
}

export interface PatchConfig {
  readonly hidden_size: number
  readonly image_size: Extent
  readonly patch_size: Extent
  readonly num_channels: number
  readonly hidden_dropout_prob: number
}

/** Patches with a class token and learned places: [B, 1 + P, H]. */
export class PatchEmbeddings extends Module implements Initialises {
  readonly cls_token: Parameter
  readonly mask_token: Parameter | null
  readonly patch_embeddings: Projection
  readonly position_embeddings: Parameter
  readonly dropout: torch.Dropout
  readonly #patch: readonly [number, number]

  constructor(
    private readonly settings: PatchConfig,
    options: { maskToken: readonly number[] | null },
  ) {
    super()
    const { hidden_size: width } = settings
    const [height, across] = pairOf(settings.image_size)
    this.#patch = pairOf(settings.patch_size)
    const patches = Math.trunc(height / this.#patch[0]) * Math.trunc(across / this.#patch[1])
    this.cls_token = new Parameter(zeros([1, 1, width]))
    this.mask_token = options.maskToken ? new Parameter(zeros([...options.maskToken, width])) : null
    this.patch_embeddings = new Projection(settings.num_channels, width, this.#patch)
    this.position_embeddings = new Parameter(zeros([1, patches + 1, width]))
    this.dropout = new torch.Dropout(settings.hidden_dropout_prob)
  }

  initParameters(std: number, wants: (parameter: Parameter) => boolean): void {
    for (const parameter of [this.cls_token, this.position_embeddings])
      if (wants(parameter)) parameter.cell.settle(random.normal(parameter.shape, { std }).value)
  }

  forward(inputs: ModelInputs, interpolated: boolean): Tensor {
    const images = imagesOf(inputs, this.settings.num_channels)
    const [batch, , height, across] = images.shape
    const [wantedHeight, wantedWidth] = pairOf(this.settings.image_size)
    if (!interpolated && (height !== wantedHeight || across !== wantedWidth))
      throw new RangeError(
        `images must be ${wantedHeight} x ${wantedWidth}, got ${height} x ${across}; interpolate_pos_encoding takes other sizes`,
      )
    const patches = flattenGrid(this.patch_embeddings.projection.forward(images))
    const width = patches.shape[2]
    const first = this.cls_token.value.to(patches.dtype).expand(batch, 1, width)
    const [rows, columns] = [Math.trunc(height / this.#patch[0]), Math.trunc(across / this.#patch[1])]
    const places = this.position_embeddings.value.to(patches.dtype)
    const moved = interpolated && height * across > 0 ? placesForGrid(places, 1, rows, columns) : places
    return this.dropout.forward(add(cat([first, patches], 1), moved))
  }
}
