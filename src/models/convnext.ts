/** ConvNeXt (Liu et al. 2022). Shapes: B batch, C channels. */
import { Module, torch } from '../nn/index.js'
import { add, full, mul, Parameter, permute, type Tensor } from '../tensor/index.js'
import { type ActivationFn, activation } from './blocks/activations.js'
import { EncoderModel, Headed, pooled } from './blocks/heads.js'
import { classLoss } from './blocks/losses.js'
import { lossOf, passed, Recorder } from './blocks/outputs.js'
import { DropPath, imagesOf } from './blocks/vision.js'
import { type ConfigOf, defineConfig } from './pretrained/config.js'
import { defineModels } from './pretrained/definition.js'
import type { BaseModelOutput, LogitsOutput, ModelInputs } from './pretrained/io.js'
import type { Family } from './pretrained/model.js'

const config = defineConfig({
  model_type: 'convnext',
  defaults: {
    num_channels: 3,
    patch_size: 4,
    num_stages: 4,
    hidden_sizes: [96, 192, 384, 768] as readonly number[],
    depths: [3, 3, 9, 3] as readonly number[],
    hidden_act: 'gelu',
    initializer_range: 0.02,
    layer_norm_eps: 1e-12,
    layer_scale_init_value: 1e-6,
    drop_path_rate: 0,
    image_size: 224,
  },
})
export type ConvNextConfig = ConfigOf<typeof config>

const family: Family = { config, prefix: 'convnext' }
const EPS = 1e-6

/** Layer norm over the channels of [B, C, rows, columns]. */
class ChannelNorm extends torch.LayerNorm {
  override forward(x: Tensor): Tensor {
    return permute(super.forward(permute(x, [0, 2, 3, 1])), [0, 3, 1, 2])
  }
}

class Embeddings extends Module {
  readonly patch_embeddings: torch.Conv2d
  readonly layernorm: ChannelNorm

  constructor({ num_channels: channels, hidden_sizes: [width], patch_size: patch }: ConvNextConfig) {
    super()
    this.patch_embeddings = new torch.Conv2d(channels, width, patch, { stride: patch })
    this.layernorm = new ChannelNorm(width, { eps: EPS })
  }

  forward(images: Tensor): Tensor {
    return this.layernorm.forward(this.patch_embeddings.forward(images))
  }
}

class Layer extends Module {
  readonly dwconv: torch.Conv2d
  readonly layernorm: torch.LayerNorm
  readonly pwconv1: torch.Linear
  readonly pwconv2: torch.Linear
  readonly layer_scale_parameter: Parameter | null
  readonly drop_path: DropPath
  readonly #act: ActivationFn

  constructor(settings: ConvNextConfig, width: number, rate: number) {
    super()
    const { layer_scale_init_value: scale } = settings
    this.dwconv = new torch.Conv2d(width, width, 7, { padding: 3, groups: width })
    this.layernorm = new torch.LayerNorm(width, { eps: EPS })
    this.pwconv1 = new torch.Linear(width, 4 * width)
    this.pwconv2 = new torch.Linear(4 * width, width)
    this.layer_scale_parameter = scale > 0 ? new Parameter(full([width], scale)) : null
    this.drop_path = new DropPath(rate)
    this.#act = activation(settings.hidden_act)
  }

  forward(x: Tensor): Tensor {
    const last = this.layernorm.forward(permute(this.dwconv.forward(x), [0, 2, 3, 1]))
    const inner = this.pwconv2.forward(this.#act(this.pwconv1.forward(last)))
    const scaled = this.layer_scale_parameter ? mul(inner, this.layer_scale_parameter) : inner
    return add(x, this.drop_path.forward(permute(scaled, [0, 3, 1, 2])))
  }
}

class Stage extends Module {
  readonly downsampling_layer: readonly (ChannelNorm | torch.Conv2d)[]
  readonly layers: readonly Layer[]

  constructor(settings: ConvNextConfig, from: number, to: number, stride: number, rates: readonly number[]) {
    super()
    const smaller = from !== to || stride > 1
    this.downsampling_layer = smaller
      ? [new ChannelNorm(from, { eps: EPS }), new torch.Conv2d(from, to, 2, { stride })]
      : []
    this.layers = rates.map((rate) => new Layer(settings, to, rate))
  }

  forward(x: Tensor): Tensor {
    const small = this.downsampling_layer.reduce((value, layer) => layer.forward(value), x)
    return this.layers.reduce((value, layer) => layer.forward(value), small)
  }
}

/** Rates of dropped branches, rising from 0 to `rate` over all layers, by stage. */
export function dropRates(rate: number, depths: readonly number[]): number[][] {
  const total = depths.reduce((sum, depth) => sum + depth, 0)
  let at = 0
  return depths.map((depth) => Array.from({ length: depth }, () => (rate * at++) / Math.max(total - 1, 1)))
}

class Encoder extends Module {
  readonly stages: readonly Stage[]

  constructor(settings: ConvNextConfig) {
    super()
    const { hidden_sizes: widths, depths, num_stages: count } = settings
    const rates = dropRates(settings.drop_path_rate, depths)
    this.stages = Array.from({ length: count }, (_, i) => {
      return new Stage(settings, widths[Math.max(i - 1, 0)], widths[i], i > 0 ? 2 : 1, rates[i])
    })
  }
}

/** `last_hidden_state` [B, C, rows, columns], `pooler_output` [B, C]. */
export class ConvNextModel extends EncoderModel<ConvNextConfig> {
  static override readonly family: Family = family
  readonly embeddings: Embeddings
  readonly encoder: Encoder
  readonly layernorm: torch.LayerNorm

  constructor(settings: ConvNextConfig) {
    super(settings)
    this.embeddings = new Embeddings(settings)
    this.encoder = new Encoder(settings)
    const { hidden_sizes: widths, layer_norm_eps: eps } = settings
    this.layernorm = new torch.LayerNorm(widths[widths.length - 1], { eps })
  }

  override forward(inputs: ModelInputs): BaseModelOutput {
    const recorder = new Recorder(this.config, inputs)
    let x = this.embeddings.forward(imagesOf(inputs, this.config.num_channels))
    for (const stage of this.encoder.stages) {
      recorder.state(x)
      x = stage.forward(x)
    }
    recorder.state(x)
    return { last_hidden_state: x, pooler_output: this.layernorm.forward(x.mean([2, 3])), ...recorder.outputs }
  }
}

/** Scores of the image [B, L]; `labels` [B]. */
export class ConvNextForImageClassification extends Headed<ConvNextConfig> {
  static override readonly family: Family = family
  readonly classifier: torch.Linear

  constructor(settings: ConvNextConfig) {
    super(settings, new ConvNextModel(settings))
    const { hidden_sizes: widths, num_labels: labels } = settings
    this.classifier = new torch.Linear(widths[widths.length - 1], labels)
  }

  override forward(inputs: ModelInputs): LogitsOutput {
    const base = this.base.forward(inputs)
    const logits = this.classifier.forward(pooled(base))
    return { ...lossOf(inputs.labels, (labels) => classLoss(this.config, logits, labels)), logits, ...passed(base) }
  }
}

export default defineModels({ config, classes: { ConvNextModel, ConvNextForImageClassification } })
