/** ResNet (He et al. 2016). Shapes: B batch, C channels. */
import { Module, torch } from '../nn/index.js'
import { batchNorm, maxPool2d } from '../tensor/functional/index.js'
import { add, ones, Parameter, reshape, type Tensor, zeros } from '../tensor/index.js'
import { type ActivationFn, activation } from './blocks/activations.js'
import { EncoderModel, Headed, pooled } from './blocks/heads.js'
import { classLoss } from './blocks/losses.js'
import { lossOf, passed, Recorder } from './blocks/outputs.js'
import { imagesOf } from './blocks/vision.js'
import { type ConfigOf, defineConfig } from './pretrained/config.js'
import { defineModels } from './pretrained/definition.js'
import type { BaseModelOutput, LogitsOutput, ModelInputs } from './pretrained/io.js'
import type { Family } from './pretrained/model.js'

export const resNetConfig = defineConfig({
  model_type: 'resnet',
  defaults: {
    num_channels: 3,
    embedding_size: 64,
    hidden_sizes: [256, 512, 1024, 2048] as readonly number[],
    depths: [3, 4, 6, 3] as readonly number[],
    layer_type: 'bottleneck',
    hidden_act: 'relu',
    downsample_in_first_stage: false,
    downsample_in_bottleneck: false,
  },
})
export type ResNetConfig = ConfigOf<typeof resNetConfig>

const family: Family = { config: resNetConfig, prefix: 'resnet' }

type Norm = Module & { forward(x: Tensor): Tensor }
export type NormOf = (width: number) => Norm

/** A batch norm whose statistics, weight and bias stay as they are, for detectors. */
class FrozenNorm extends Module {
  readonly weight: Parameter
  readonly bias: Parameter
  readonly running_mean: Parameter
  readonly running_var: Parameter

  constructor(width: number) {
    super()
    const fixed = (value: Tensor): Parameter => new Parameter(value, { trainable: false })
    this.weight = fixed(ones([width]))
    this.bias = fixed(zeros([width]))
    this.running_mean = fixed(zeros([width]))
    this.running_var = fixed(ones([width]))
  }

  forward(x: Tensor): Tensor {
    return batchNorm(x, this.running_mean, this.running_var, { weight: this.weight, bias: this.bias })
  }
}

export const batchNormOf: NormOf = (width) => new torch.BatchNorm(width)
export const frozenNormOf: NormOf = (width) => new FrozenNorm(width)

interface ConvOptions {
  readonly norm: NormOf
  readonly kernel?: number
  readonly stride?: number
  readonly act?: string | null
}

export class ResNetConvLayer extends Module {
  readonly convolution: torch.Conv2d
  readonly normalization: Norm
  readonly #act: ActivationFn

  constructor(from: number, to: number, { norm, kernel = 3, stride = 1, act = 'relu' }: ConvOptions) {
    super()
    this.convolution = new torch.Conv2d(from, to, kernel, { stride, padding: Math.trunc(kernel / 2), bias: false })
    this.normalization = norm(to)
    this.#act = activation(act ?? 'linear')
  }

  forward(x: Tensor): Tensor {
    return this.#act(this.normalization.forward(this.convolution.forward(x)))
  }
}

/** A residual block, basic or with a bottleneck. */
class Block extends Module {
  readonly shortcut: ResNetConvLayer | null
  readonly layer: readonly ResNetConvLayer[]
  readonly #act: ActivationFn

  constructor(settings: ResNetConfig, norm: NormOf, from: number, to: number, stride: number) {
    super()
    this.shortcut =
      from !== to || stride !== 1 ? new ResNetConvLayer(from, to, { norm, kernel: 1, stride, act: null }) : null
    const narrow = Math.trunc(to / 4)
    const early = settings.downsample_in_bottleneck
    this.layer =
      settings.layer_type === 'bottleneck'
        ? [
            new ResNetConvLayer(from, narrow, { norm, kernel: 1, stride: early ? stride : 1 }),
            new ResNetConvLayer(narrow, narrow, { norm, stride: early ? 1 : stride }),
            new ResNetConvLayer(narrow, to, { norm, kernel: 1, act: null }),
          ]
        : [new ResNetConvLayer(from, to, { norm, stride }), new ResNetConvLayer(to, to, { norm, act: null })]
    this.#act = activation(settings.hidden_act)
  }

  forward(x: Tensor): Tensor {
    const inner = this.layer.reduce((value, layer) => layer.forward(value), x)
    return this.#act(add(inner, this.shortcut ? this.shortcut.forward(x) : x))
  }
}

class Stage extends Module {
  readonly layers: readonly Block[]

  constructor(settings: ResNetConfig, norm: NormOf, from: number, to: number, stride: number, depth: number) {
    super()
    this.layers = Array.from(
      { length: depth },
      (_, i) => new Block(settings, norm, i === 0 ? from : to, to, i === 0 ? stride : 1),
    )
  }
}

class Embedder extends Module {
  readonly embedder: ResNetConvLayer

  constructor({ num_channels: channels, embedding_size: width, hidden_act: act }: ResNetConfig, norm: NormOf) {
    super()
    this.embedder = new ResNetConvLayer(channels, width, { norm, kernel: 7, stride: 2, act })
  }

  forward(images: Tensor): Tensor {
    return maxPool2d(this.embedder.forward(images), 3, { stride: 2, padding: 1 })
  }
}

class Encoder extends Module {
  readonly stages: readonly Stage[]

  constructor(settings: ResNetConfig, norm: NormOf) {
    super()
    const { hidden_sizes: widths, depths, embedding_size: first } = settings
    if (widths.length !== depths.length) throw new RangeError('hidden_sizes and depths must be of one length')
    this.stages = widths.map((to, i) => {
      const stride = i > 0 || settings.downsample_in_first_stage ? 2 : 1
      return new Stage(settings, norm, i === 0 ? first : widths[i - 1], to, stride, depths[i])
    })
  }
}

/** `last_hidden_state` [B, C, rows, columns], `pooler_output` [B, C, 1, 1]. */
export class ResNetModel extends EncoderModel<ResNetConfig> {
  static override readonly family: Family = family
  readonly embedder: Embedder
  readonly encoder: Encoder

  constructor(settings: ResNetConfig, options: { readonly frozen?: boolean } = {}) {
    super(settings)
    const norm = options.frozen ? frozenNormOf : batchNormOf
    this.embedder = new Embedder(settings, norm)
    this.encoder = new Encoder(settings, norm)
  }

  /** The stem's and each stage's maps. */
  features(inputs: ModelInputs): readonly Tensor[] {
    let x = this.embedder.forward(imagesOf(inputs, this.config.num_channels))
    const maps = [x]
    for (const stage of this.encoder.stages) {
      x = stage.layers.reduce((value, block) => block.forward(value), x)
      maps.push(x)
    }
    return maps
  }

  override forward(inputs: ModelInputs): BaseModelOutput {
    const recorder = new Recorder(this.config, inputs)
    const maps = this.features(inputs)
    for (const map of maps) recorder.state(map)
    const x = maps[maps.length - 1]
    return { last_hidden_state: x, pooler_output: x.mean([2, 3], { keepdim: true }), ...recorder.outputs }
  }
}

/** Scores of the image [B, L]; `labels` [B]. */
export class ResNetForImageClassification extends Headed<ResNetConfig> {
  static override readonly family: Family = family
  /** The first place is a flattening without weights. */
  readonly classifier: readonly (torch.Linear | null)[]

  constructor(settings: ResNetConfig) {
    super(settings, new ResNetModel(settings))
    const { hidden_sizes: widths, num_labels: labels } = settings
    this.classifier = [null, new torch.Linear(widths[widths.length - 1], labels)]
  }

  override forward(inputs: ModelInputs): LogitsOutput {
    const base = this.base.forward(inputs)
    const vector = pooled(base)
    const logits = (this.classifier[1] as torch.Linear).forward(reshape(vector, vector.shape.slice(0, 2)))
    return { ...lossOf(inputs.labels, (labels) => classLoss(this.config, logits, labels)), logits, ...passed(base) }
  }
}

export default defineModels({ config: resNetConfig, classes: { ResNetModel, ResNetForImageClassification } })
