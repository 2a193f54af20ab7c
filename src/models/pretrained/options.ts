import type { HubProgress } from '../../hub/index.node.js'
import type { DType } from '../../tensor/index.js'

export type LoadDType = 'auto' | 'int8' | Extract<DType, 'f32' | 'f16' | 'bf16'>

export interface LoadOptions {
  /**
   * `auto` keeps each tensor as it is stored (halves compute in f32); a float type converts. `int8` brings the weights of linear layers to 8
   * bits, for inference: their inputs are quantised as they come. Default `auto`.
   */
  readonly dtype?: LoadDType
  /** Classes of the head: another number than the file's starts the head anew. */
  readonly numLabels?: number
  /** Names of the classes. */
  readonly labels?: readonly string[]
  /** Fields of the config to replace. */
  readonly config?: object
  /** Tensors of another shape than the model's start anew instead of failing. */
  readonly ignoreMismatchedSizes?: boolean
  /** False also accepts files that lack parts of the base model; default true. */
  readonly strict?: boolean
  /** Told in a line of what starts anew and of what was not used; default: console.warn. */
  readonly onNote?: (note: string) => void
  readonly onProgress?: (progress: { readonly tensors: number; readonly total: number }) => void
  readonly signal?: AbortSignal
  readonly revision?: string
  readonly cacheDir?: string
  readonly offline?: boolean
  readonly token?: string | false
  /** Address of the hub; default: HF_ENDPOINT, or https://huggingface.co. */
  readonly endpoint?: string
  /** Told of every file that is downloaded. */
  readonly onDownload?: (progress: HubProgress) => void
}

/** What reading a checkpoint found. Names are the model's for `missing`, the file's otherwise. */
export interface LoadReport {
  /** Parameters that the file lacks: drawn anew. */
  readonly missing: readonly string[]
  /** Tensors that the model has no place for. */
  readonly unexpected: readonly string[]
  /** Tensors of another shape: drawn anew. */
  readonly mismatched: readonly string[]
}
