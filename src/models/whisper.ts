/** Whisper (Radford et al. 2022): convolutions and an encoder over log-mel frames, a decoder over text. */
import { torch } from '../nn/index.js'
import { add, asTensor, gelu, type Parameter, permute, type Tensor } from '../tensor/index.js'
import { bartAliases, bartDefaults } from './bart.js'
import { BartStack, BartTextStack, type BartTraits, Seq2SeqModel } from './blocks/bart-layers.js'
import type { CacheShape } from './blocks/cache.js'
import { Headed } from './blocks/heads.js'
import { tokenLoss } from './blocks/losses.js'
import type { Mask } from './blocks/masks.js'
import { lossOf, type Recorder } from './blocks/outputs.js'
import { FixedPlaces, LearnedPlaces, type Places } from './blocks/positions.js'
import { passedSeq2Seq } from './blocks/seq2seq.js'
import { type ConfigOf, defineConfig } from './pretrained/config.js'
import { defineModels } from './pretrained/definition.js'
import type { LogitsOutput, ModelInputs } from './pretrained/io.js'
import type { Family } from './pretrained/model.js'

const config = defineConfig({
  model_type: 'whisper',
  defaults: {
    ...bartDefaults,
    vocab_size: 51865,
    num_mel_bins: 80,
    encoder_layers: 4,
    encoder_attention_heads: 6,
    decoder_layers: 4,
    decoder_attention_heads: 6,
    decoder_ffn_dim: 1536,
    encoder_ffn_dim: 1536,
    decoder_start_token_id: 50257 as number | null,
    d_model: 384,
    dropout: 0,
    max_source_positions: 1500,
    max_target_positions: 448,
    pad_token_id: 50256 as number | null,
    bos_token_id: 50256 as number | null,
    eos_token_id: 50256 as number | readonly number[] | null,
  },
  aliases: bartAliases,
})
export type WhisperConfig = ConfigOf<typeof config>

const family: Family = { config, prefix: 'model', optional: /encoder\.embed_positions\.weight$/ }

class WhisperEncoder extends BartStack {
  readonly conv1: torch.Conv1d
  readonly conv2: torch.Conv1d
  readonly embed_positions: Places
  readonly dropout: torch.Dropout

  constructor(
    private readonly settings: WhisperConfig,
    traits: BartTraits,
  ) {
    super(settings, traits, false)
    const { d_model: width, num_mel_bins: mels, max_source_positions: places } = settings
    this.conv1 = new torch.Conv1d(mels, width, 3, { padding: 1 })
    this.conv2 = new torch.Conv1d(width, width, 3, { stride: 2, padding: 1 })
    this.embed_positions = new FixedPlaces(places, width, { stored: true, trainable: true })
    this.dropout = new torch.Dropout(settings.dropout)
  }

  /** Log-mel frames [B, mels, 2 S] to states [B, S, H]. */
  forward(inputs: ModelInputs, recorder: Recorder): Tensor {
    const { max_source_positions: places } = this.settings
    if (inputs.input_features === null || inputs.input_features === undefined)
      throw new TypeError('Whisper needs input_features')
    const frames = asTensor(inputs.input_features)
    if (frames.ndim !== 3 || frames.shape[2] !== 2 * places)
      throw new RangeError(`input_features must be [batch, mels, ${2 * places}], got [${frames.shape.join(', ')}]`)
    const x = permute(gelu(this.conv2.forward(gelu(this.conv1.forward(frames)))), [0, 2, 1])
    const tokens = x.shape[1]
    const placed = add(x, this.embed_positions.forward({ inputs, tokens, start: 0 }))
    const shared = { recorder, mask: null, cache: null, source: null, sourceMask: null }
    return this.through(this.dropout.forward(placed), shared)
  }
}

export class WhisperModel extends Seq2SeqModel<WhisperConfig> {
  static override readonly family: Family = family
  readonly encoder: WhisperEncoder
  readonly decoder: BartTextStack

  constructor(settings: WhisperConfig) {
    super(settings)
    const { d_model: width, max_target_positions: places, pad_token_id: padding } = settings
    const traits: BartTraits = {
      preNorm: true,
      embedNorm: false,
      keyBias: false,
      places: () => new LearnedPlaces(places, width, 0),
    }
    this.encoder = new WhisperEncoder(settings, traits)
    const tokens = new torch.Embedding(settings.vocab_size, width, { paddingIdx: padding ?? undefined })
    this.decoder = new BartTextStack({ ...settings, scale_embedding: false }, traits, tokens, true)
  }

  override inputEmbeddings(): torch.Embedding {
    return this.decoder.embed_tokens
  }

  protected override source(inputs: ModelInputs, recorder: Recorder): Tensor {
    return this.encoder.forward(inputs, recorder)
  }

  protected override sourceMask(_inputs: ModelInputs): Mask {
    return null
  }
}

/** Scores of the text's tokens [B, T, V]; `labels` [B, T], -100 where a token does not count. */
export class WhisperForConditionalGeneration extends Headed<WhisperConfig, WhisperModel> {
  static override readonly family: Family = family
  readonly proj_out: torch.Linear

  constructor(settings: WhisperConfig) {
    super(settings, new WhisperModel(settings))
    const weight = settings.tie_word_embeddings ? this.base.decoder.embed_tokens.weight : undefined
    this.proj_out = new torch.Linear(settings.d_model, settings.vocab_size, { bias: false, weight })
  }

  override vocabularyParameters(): readonly Parameter[] {
    return [this.proj_out.weight]
  }

  override encode(inputs: ModelInputs): Tensor {
    return this.base.encode(inputs)
  }

  override cacheShapes(): readonly CacheShape[] {
    return this.base.cacheShapes()
  }

  override forward(inputs: ModelInputs): LogitsOutput {
    const base = this.base.forward(inputs)
    const logits = this.proj_out.forward(base.last_hidden_state)
    return { ...lossOf(inputs.labels, (labels) => tokenLoss(logits, labels)), logits, ...passedSeq2Seq(base) }
  }
}

export default defineModels({
  config,
  classes: { WhisperModel, WhisperForConditionalGeneration },
  auto: { speechSeq2Seq: 'WhisperForConditionalGeneration' },
})
