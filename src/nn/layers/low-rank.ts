import { add, matmul, mul, Parameter, type Tensor } from '../../tensor/index.js'

/** Options of layers whose kernel can be adapted by a product of two narrow matrices (LoRA; Hu et al. 2021). */
export interface LowRankOptions {
  /** Rank of the product. The kernel is frozen then. */
  loraRank?: number | null
  /** The product counts loraAlpha / loraRank times; default loraRank. */
  loraAlpha?: number | null
}

/** What a config says of it: nothing without a rank. */
export const lowRankSettings = ({ loraRank, loraAlpha }: LowRankOptions) =>
  loraRank ? { loraRank, loraAlpha: loraAlpha ?? loraRank } : {}

type AddWeight = (name: string, shape: number[], initializer: string) => Parameter

/** A frozen kernel with a product beside it. */
export class LowRank {
  private readonly a: Parameter
  private readonly b: Parameter
  /** The sum as one weight, as Keras' files have it: a value given to it goes to the kernel, and the product becomes 0. */
  readonly whole: Parameter

  constructor(
    private readonly kernel: Parameter,
    { loraRank, loraAlpha }: LowRankOptions,
    name: string,
    addWeight: AddWeight,
  ) {
    const rank = loraRank as number
    if (!Number.isInteger(rank) || rank < 1) throw new RangeError(`loraRank must be a positive integer, got ${rank}`)
    const { shape, dtype } = kernel
    this.a = addWeight(`lora_${name}_a`, [...shape.slice(0, -1), rank], 'he_uniform')
    this.b = addWeight(`lora_${name}_b`, [rank, shape[shape.length - 1]], 'zeros')
    kernel.trainable = false
    const scale = (loraAlpha ?? rank) / rank
    const read = (): Tensor => add(kernel, mul(matmul(this.a, this.b), scale))
    const write = (value: Tensor): void => {
      kernel.value = value
      for (const part of [this.a, this.b]) part.value = mul(part, 0)
    }
    this.whole = new Parameter(mul(kernel, 1), { trainable: false, name: kernel.name }).derive({
      shape,
      dtype,
      sources: {},
      legacy: {},
      read,
      write,
    })
  }

  /** The weights of a layer as Keras' files have them. */
  saved(weights: readonly Parameter[]): Parameter[] {
    return weights
      .filter((weight) => weight !== this.a && weight !== this.b)
      .map((weight) => (weight === this.kernel ? this.whole : weight))
  }
}
