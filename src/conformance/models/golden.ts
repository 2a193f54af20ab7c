/** What `models/<name>/golden.json` holds. */
export interface ModelTolerance {
  readonly logits_atol: number
  readonly logits_rtol: number
  readonly grad_atol: number
  readonly grad_rtol: number
}

export interface ModelPass {
  readonly name: string
  readonly inputs: readonly string[]
  /** Keyword arguments that are no tensors. */
  readonly extra?: Readonly<Record<string, unknown>> | null
  readonly outputs: readonly string[]
  /** Names of the file's tensors whose gradients are given. */
  readonly grads?: readonly string[]
  /** Another class to read the folder with. */
  readonly load_with_class?: string
}

export interface GenerateCase {
  readonly name: string
  readonly kwargs: Readonly<Record<string, unknown>>
  readonly input_tensors: Readonly<Record<string, string>>
  readonly sequences: readonly (readonly number[])[]
  readonly sequences_scores?: readonly number[]
}

export interface ModelGolden {
  readonly name: string
  readonly model_class: string
  readonly model_type: string
  readonly passes: readonly ModelPass[]
  readonly generate?: readonly GenerateCase[]
  readonly tolerance: ModelTolerance
}
