/** Marian (Junczys-Dowmunt et al. 2018), for translation: BART with fixed places and no norm of the embeddings. */
import { torch } from '../nn/index.js'
import { bartAliases, bartDefaults } from './bart.js'
import { BartTextStack, type BartTraits, ConditionalGeneration, Seq2SeqModel } from './blocks/bart-layers.js'
import type { Recorder } from './blocks/outputs.js'
import { FixedPlaces } from './blocks/positions.js'
import { sourceInputs } from './blocks/seq2seq.js'
import { type ConfigOf, defineConfig } from './pretrained/config.js'
import { defineModels } from './pretrained/definition.js'
import type { ModelInputs } from './pretrained/io.js'
import type { Family } from './pretrained/model.js'

const config = defineConfig({
  model_type: 'marian',
  defaults: {
    ...bartDefaults,
    vocab_size: 58101,
    decoder_vocab_size: null as number | null,
    share_encoder_decoder_embeddings: true,
    pad_token_id: 58100 as number | null,
    bos_token_id: null as number | null,
    eos_token_id: 0 as number | readonly number[] | null,
    decoder_start_token_id: 58100 as number | null,
  },
  aliases: bartAliases,
})
export type MarianConfig = ConfigOf<typeof config>

const family: Family = {
  config,
  prefix: 'model',
  optional: /^final_logits_bias$/,
  ignored: /(^|\.)embed_positions\.weight$/,
}

const targetVocabulary = (settings: MarianConfig): number =>
  settings.share_encoder_decoder_embeddings ? settings.vocab_size : (settings.decoder_vocab_size ?? settings.vocab_size)

export class MarianModel extends Seq2SeqModel<MarianConfig> {
  static override readonly family: Family = family
  readonly shared: torch.Embedding | null
  readonly encoder: BartTextStack
  readonly decoder: BartTextStack

  constructor(settings: MarianConfig) {
    super(settings)
    const { max_position_embeddings: places, d_model: width, pad_token_id: padding } = settings
    const table = (tokens: number): torch.Embedding =>
      new torch.Embedding(tokens, width, { paddingIdx: padding ?? undefined })
    const traits: BartTraits = {
      preNorm: false,
      embedNorm: false,
      places: () => new FixedPlaces(places, width, { stored: false }),
    }
    this.shared = settings.share_encoder_decoder_embeddings ? table(settings.vocab_size) : null
    this.encoder = new BartTextStack(settings, traits, this.shared ?? table(settings.vocab_size), false)
    this.decoder = new BartTextStack(settings, traits, this.shared ?? table(targetVocabulary(settings)), true)
  }

  override inputEmbeddings(): torch.Embedding {
    return this.encoder.embed_tokens
  }

  protected override source(inputs: ModelInputs, recorder: Recorder) {
    return this.encoder.forward(sourceInputs(inputs), recorder)
  }
}

export class MarianMTModel extends ConditionalGeneration<MarianConfig> {
  static override readonly family: Family = family
  constructor(settings: MarianConfig) {
    super(settings, new MarianModel(settings), { vocabSize: targetVocabulary(settings), biased: true })
  }
}

export default defineModels({
  config,
  classes: { MarianModel, MarianMTModel },
  auto: { seq2SeqLM: 'MarianMTModel' },
})
