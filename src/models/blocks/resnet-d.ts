/** ResNet-D (He et al. 2019), the backbone of RT-DETR: a deeper stem, and pooling before the maps of shortcuts. */
import { Module } from '../../nn/index.js'
import { avgPool2d, maxPool2d } from '../../tensor/functional/index.js'
import { add, type Tensor } from '../../tensor/index.js'
import { batchNormOf, frozenNormOf, type NormOf, type ResNetConfig, ResNetConvLayer } from '../resnet.js'
import { type ActivationFn, activation } from './activations.js'

class Block extends Module {
  readonly shortcut: ResNetConvLayer | readonly (ResNetConvLayer | null)[] | null
  readonly layer: readonly ResNetConvLayer[]
  readonly #act: ActivationFn

  constructor(settings: ResNetConfig, norm: NormOf, from: number, to: number, stride: number, first: boolean) {
    super()
    const map = (step: number): ResNetConvLayer =>
      new ResNetConvLayer(from, to, { norm, kernel: 1, stride: step, act: null })
    const bottleneck = settings.layer_type === 'bottleneck'
    const pooled = bottleneck ? stride === 2 : first && from !== to
    const mapped = bottleneck ? from !== to : first
    // The first place of a pooled shortcut is the pooling, which has no weights.
    this.shortcut = pooled ? [null, map(1)] : mapped ? map(stride) : null
    const narrow = Math.trunc(to / 4)
    const early = settings.downsample_in_bottleneck
    this.layer = bottleneck
      ? [
          new ResNetConvLayer(from, narrow, { norm, kernel: 1, stride: early ? stride : 1 }),
          new ResNetConvLayer(narrow, narrow, { norm, stride: early ? 1 : stride }),
          new ResNetConvLayer(narrow, to, { norm, kernel: 1, act: null }),
        ]
      : [new ResNetConvLayer(from, to, { norm, stride }), new ResNetConvLayer(to, to, { norm, act: null })]
    this.#act = activation(settings.hidden_act)
  }

  private beside(x: Tensor): Tensor {
    if (this.shortcut === null) return x
    if (this.shortcut instanceof ResNetConvLayer) return this.shortcut.forward(x)
    return (this.shortcut[1] as ResNetConvLayer).forward(avgPool2d(x, 2, { stride: 2, ceilMode: true }))
  }

  forward(x: Tensor): Tensor {
    const inner = this.layer.reduce((value, layer) => layer.forward(value), x)
    return this.#act(add(inner, this.beside(x)))
  }
}

class Stage extends Module {
  readonly layers: readonly Block[]

  constructor(settings: ResNetConfig, norm: NormOf, from: number, to: number, stride: number, depth: number) {
    super()
    this.layers = Array.from(
      { length: depth },
      (_, i) => new Block(settings, norm, i === 0 ? from : to, to, i === 0 ? stride : 1, i === 0),
    )
  }
}

class Stem extends Module {
  readonly embedder: readonly ResNetConvLayer[]

  constructor({ num_channels: channels, embedding_size: width, hidden_act: act }: ResNetConfig, norm: NormOf) {
    super()
    const half = Math.trunc(width / 2)
    this.embedder = [
      new ResNetConvLayer(channels, half, { norm, stride: 2, act }),
      new ResNetConvLayer(half, half, { norm, act }),
      new ResNetConvLayer(half, width, { norm, act }),
    ]
  }
}

class Stages extends Module {
  readonly stages: readonly Stage[]

  constructor(settings: ResNetConfig, norm: NormOf) {
    super()
    const { hidden_sizes: widths, depths, embedding_size: first } = settings
    this.stages = widths.map((to, i) => {
      const stride = i > 0 || settings.downsample_in_first_stage ? 2 : 1
      return new Stage(settings, norm, i === 0 ? first : widths[i - 1], to, stride, depths[i])
    })
  }
}

export class ResNetD extends Module {
  readonly embedder: Stem
  readonly encoder: Stages

  constructor(settings: ResNetConfig, options: { readonly frozen: boolean }) {
    super()
    const norm = options.frozen ? frozenNormOf : batchNormOf
    this.embedder = new Stem(settings, norm)
    this.encoder = new Stages(settings, norm)
  }

  /** The stem's and each stage's maps. */
  features(images: Tensor): readonly Tensor[] {
    const stem = this.embedder.embedder.reduce((value, layer) => layer.forward(value), images)
    const maps = [maxPool2d(stem, 3, { stride: 2, padding: 1 })]
    for (const stage of this.encoder.stages)
      maps.push(stage.layers.reduce((value, block) => block.forward(value), maps[maps.length - 1]))
    return maps
  }
}
