import type { ModelDefinition } from './pretrained/definition.js'

type Loader = () => Promise<{ readonly default: ModelDefinition }>

/** Files of this folder by `model_type`, each loaded when a config asks for it. */
export const MODEL_TYPES: Readonly<Record<string, Loader>> = {
  albert: () => import('./albert.js'),
  bart: () => import('./bart.js'),
  bert: () => import('./bert.js'),
  camembert: () => import('./camembert.js'),
  clip: () => import('./clip.js'),
  clip_text_model: async () => ({ default: (await import('./clip.js')).clipText }),
  clip_vision_model: async () => ({ default: (await import('./clip.js')).clipVision }),
  convnext: () => import('./convnext.js'),
  'deberta-v2': () => import('./deberta-v2.js'),
  detr: () => import('./detr.js'),
  dinov2: () => import('./dinov2.js'),
  distilbert: () => import('./distilbert.js'),
  electra: () => import('./electra.js'),
  esm: () => import('./esm.js'),
  deepseek_v3: () => import('./deepseek_v3.js'),
  gemma2: () => import('./gemma2.js'),
  gemma3_text: () => import('./gemma3_text.js'),
  gpt2: () => import('./gpt2.js'),
  gpt_neox: () => import('./gpt_neox.js'),
  llama: () => import('./llama.js'),
  m2m_100: () => import('./m2m_100.js'),
  mamba2: () => import('./mamba2.js'),
  marian: () => import('./marian.js'),
  mbart: () => import('./mbart.js'),
  mistral: () => import('./mistral.js'),
  mixtral: () => import('./mixtral.js'),
  modernbert: () => import('./modernbert.js'),
  mpnet: () => import('./mpnet.js'),
  pegasus: () => import('./pegasus.js'),
  qwen2: () => import('./qwen2.js'),
  qwen2_vl: () => import('./qwen2_vl.js'),
  qwen3: () => import('./qwen3.js'),
  qwen3_moe: () => import('./qwen3_moe.js'),
  resnet: () => import('./resnet.js'),
  roberta: () => import('./roberta.js'),
  rt_detr_v2: () => import('./rt_detr_v2.js'),
  segformer: () => import('./segformer.js'),
  siglip: () => import('./siglip.js'),
  siglip_text_model: async () => ({ default: (await import('./siglip.js')).siglipText }),
  siglip_vision_model: async () => ({ default: (await import('./siglip.js')).siglipVision }),
  t5: () => import('./t5.js'),
  vit: () => import('./vit.js'),
  wav2vec2: () => import('./wav2vec2.js'),
  whisper: () => import('./whisper.js'),
  xlm: () => import('./xlm.js'),
  'xlm-roberta': () => import('./xlm-roberta.js'),
}

/** An architecture or class that this build has no code for. */
export class UnknownModelError extends Error {
  override name = 'UnknownModelError'
  constructor(readonly what: string) {
    super(`${what} is not supported; there are ${Object.keys(MODEL_TYPES).join(', ')}`)
  }
}

/** @throws UnknownModelError for a `model_type` without a file here */
export async function modelDefinition(modelType: string): Promise<ModelDefinition> {
  if (!Object.hasOwn(MODEL_TYPES, modelType)) throw new UnknownModelError(`the model type '${modelType}'`)
  return (await MODEL_TYPES[modelType]()).default
}
