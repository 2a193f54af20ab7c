/** Vectors of places, learned or fixed. Each gives [1 or B, T, width] for T tokens after `start`. */
import { Module, torch } from '../../nn/index.js'
import { asTensor, cumsum, ne, Parameter, random, type Tensor, take, tensor } from '../../tensor/index.js'
import type { ModelInputs } from '../pretrained/io.js'
import { positionsAfter } from './decoder.js'
import { embed } from './embeddings.js'

export interface PlaceRequest {
  readonly inputs: ModelInputs
  readonly tokens: number
  readonly start: number | Tensor
}

export abstract class Places extends Module {
  abstract forward(request: PlaceRequest): Tensor
}

/** Learned; the first `offset` rows are not used (BART keeps two). */
export class LearnedPlaces extends Places {
  readonly weight: Parameter
  readonly #table: torch.Embedding

  constructor(
    places: number,
    width: number,
    private readonly offset: number,
  ) {
    super()
    this.#table = new torch.Embedding(places + offset, width)
    this.weight = this.#table.weight
  }

  initParameters(std: number, wants: (parameter: Parameter) => boolean): void {
    if (wants(this.weight)) this.weight.cell.settle(torchNormal(this.weight, std).value)
  }

  forward({ tokens, start }: PlaceRequest): Tensor {
    return embed(this.#table, positionsAfter(tokens, start).add(this.offset))
  }
}

const torchNormal = (parameter: Parameter, std: number): Tensor => random.normal(parameter.shape, { std })

/** Sines in the first half of the features, cosines in the second (Vaswani et al. 2017). */
export function sinusoids(places: number, width: number): Tensor {
  const data = new Float32Array(places * width)
  const sines = Math.ceil(width / 2)
  for (let place = 0; place < places; place++)
    for (let i = 0; i < width; i++) {
      const pair = i < sines ? i : i - sines
      const angle = place / 10000 ** ((2 * pair) / width)
      data[place * width + i] = i < sines ? Math.sin(angle) : Math.cos(angle)
    }
  return tensor(data, { shape: [places, width] })
}

/** Sinusoids; `stored` ones stand in files, `trainable` ones only start as such. */
export class FixedPlaces extends Places {
  readonly weight: Parameter | null
  readonly #table: Parameter

  constructor(places: number, width: number, options: { stored: boolean; trainable?: boolean }) {
    super()
    this.#table = new Parameter(sinusoids(places, width), { trainable: options.trainable ?? false })
    this.weight = options.stored ? this.#table : null
  }

  forward({ tokens, start }: PlaceRequest): Tensor {
    return take(this.#table.value, positionsAfter(tokens, start), 0)
  }
}

/** Fixed, in the manner of tensor2tensor: places count from the padding id on and skip padding. */
export class PaddedPlaces extends Places {
  readonly #table: Parameter

  constructor(
    places: number,
    width: number,
    private readonly padding: number,
  ) {
    super()
    const half = Math.trunc(width / 2)
    const rows = places + 2
    const data = new Float32Array(rows * width)
    const step = Math.fround(Math.log(10000) / (half - 1))
    for (let row = 0; row < rows; row++)
      for (let i = 0; i < half && row !== padding; i++) {
        const angle = Math.fround(row * Math.fround(Math.exp(-i * step)))
        data[row * width + i] = Math.sin(angle)
        data[row * width + half + i] = Math.cos(angle)
      }
    this.#table = new Parameter(tensor(data, { shape: [rows, width] }), { trainable: false })
  }

  forward({ inputs, tokens, start }: PlaceRequest): Tensor {
    const { input_ids: ids } = inputs
    if (ids === null || ids === undefined)
      return take(this.#table.value, positionsAfter(tokens, start).add(this.padding + 1), 0)
    const real = ne(asTensor(ids), this.padding).to('i32')
    const places = cumsum(real, 1).add(start).mul(real).add(this.padding)
    return take(this.#table.value, places, 0)
  }
}
