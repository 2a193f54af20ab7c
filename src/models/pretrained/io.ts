import type { Tensor, TensorLike } from '../../tensor/index.js'
import type { KeyValueCache } from '../blocks/cache.js'

/** What `forward` takes, by transformers' names. Shapes: B batch, T tokens, H features. */
export interface ModelInputs {
  /** Integers [B, T]. */
  readonly input_ids?: TensorLike | null
  /** [B, T]: nonzero where a token counts; bool [B, 1, T, S] or floats to add to the scores work, too. */
  readonly attention_mask?: TensorLike | null
  readonly token_type_ids?: TensorLike | null
  readonly position_ids?: TensorLike | null
  /** [B, T, H] in place of `input_ids`. */
  readonly inputs_embeds?: TensorLike | null
  readonly encoder_hidden_states?: TensorLike | null
  readonly encoder_attention_mask?: TensorLike | null
  /** Languages of the tokens [B, T] (XLM). */
  readonly langs?: TensorLike | null
  readonly lengths?: TensorLike | null
  readonly decoder_input_ids?: TensorLike | null
  readonly decoder_attention_mask?: TensorLike | null
  readonly decoder_inputs_embeds?: TensorLike | null
  /** Encoder states [B, S, H] that were computed before. */
  readonly encoder_outputs?: { readonly last_hidden_state: Tensor }
  readonly pixel_values?: TensorLike | null
  /** Patches of videos, and the grids [images, 3] of patches in time, height and width (Qwen2-VL). */
  readonly pixel_values_videos?: TensorLike | null
  readonly image_grid_thw?: TensorLike | null
  readonly video_grid_thw?: TensorLike | null
  /** [B, T]: 0 for text, 1 for images, 2 for videos. */
  readonly mm_token_type_ids?: TensorLike | null
  readonly pixel_mask?: TensorLike | null
  readonly input_features?: TensorLike | null
  readonly input_values?: TensorLike | null
  /** [B, T]: nonzero where wav2vec 2.0 hides a frame. */
  readonly mask_time_indices?: TensorLike | null
  /** Integers [P], positions b T + t of the only tokens that a masked-language head scores: logits [P, V], `labels` [P]. */
  readonly score_positions?: TensorLike | null
  readonly labels?: TensorLike | null
  readonly next_sentence_label?: TensorLike | null
  readonly sentence_order_label?: TensorLike | null
  readonly start_positions?: TensorLike | null
  readonly end_positions?: TensorLike | null
  readonly past_key_values?: KeyValueCache | null
  readonly use_cache?: boolean
  readonly interpolate_pos_encoding?: boolean
  readonly return_loss?: boolean
  readonly output_hidden_states?: boolean
  readonly output_attentions?: boolean
}

/** What `forward` returns, by transformers' names; heads add their own. */
export interface ModelOutput {
  readonly loss?: Tensor
  readonly logits?: Tensor
  readonly last_hidden_state?: Tensor
  readonly pooler_output?: Tensor
  /** The embeddings and the output of each layer, where asked for: [B, T, H] each. */
  readonly hidden_states?: readonly Tensor[]
  /** Attention weights of each layer, where asked for: [B, heads, T, S] each. */
  readonly attentions?: readonly Tensor[]
  readonly cross_attentions?: readonly Tensor[]
  readonly start_logits?: Tensor
  readonly end_logits?: Tensor
  readonly prediction_logits?: Tensor
  readonly seq_relationship_logits?: Tensor
  readonly sop_logits?: Tensor
  readonly encoder_last_hidden_state?: Tensor | readonly Tensor[]
  readonly encoder_hidden_states?: readonly Tensor[]
  readonly encoder_attentions?: readonly Tensor[]
  readonly decoder_hidden_states?: readonly Tensor[]
  readonly decoder_attentions?: readonly Tensor[]
  readonly logits_per_image?: Tensor
  readonly logits_per_text?: Tensor
  readonly text_embeds?: Tensor
  readonly image_embeds?: Tensor
  readonly extract_features?: Tensor
  /** Boxes [B, Q, 4] as centre and size, in shares of the image. */
  readonly pred_boxes?: Tensor
  readonly past_key_values?: KeyValueCache
}

export type BaseModelOutput = ModelOutput & { readonly last_hidden_state: Tensor }
export type LogitsOutput = ModelOutput & { readonly logits: Tensor }
