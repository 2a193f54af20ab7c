import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { packageVersion } from '../../../formats/package.node.js'
import { writeJson } from '../../own-form.node.js'
import type { TrainedPooling } from './pooling.js'

const MODULES = ['Transformer', 'Pooling', 'Normalize'] as const
const PATHS = ['', '1_Pooling', '2_Normalize'] as const

interface Layout {
  readonly pooling: TrainedPooling
  /** Numbers of a vector. */
  readonly width: number
  /** Tokens of a text at most; null where there is no limit. */
  readonly maxLength: number | null
}

/** Writes the files by which sentence-transformers (and this package's pipelines) know how a checkpoint makes vectors of length 1. */
export async function writeSentenceLayout(folder: string, { pooling, width, maxLength }: Layout): Promise<void> {
  for (const path of PATHS.slice(1)) await mkdir(join(folder, path), { recursive: true })
  await writeJson(
    join(folder, 'modules.json'),
    MODULES.map((module, idx) => ({
      idx,
      name: String(idx),
      path: PATHS[idx],
      type: `sentence_transformers.models.${module}`,
    })),
  )
  await writeJson(join(folder, '1_Pooling', 'config.json'), {
    word_embedding_dimension: width,
    pooling_mode_cls_token: pooling === 'cls',
    pooling_mode_mean_tokens: pooling === 'mean',
    pooling_mode_max_tokens: pooling === 'max',
    pooling_mode_mean_sqrt_len_tokens: false,
  })
  await writeJson(join(folder, 'sentence_bert_config.json'), { max_seq_length: maxLength, do_lower_case: false })
  await writeJson(join(folder, 'config_sentence_transformers.json'), { __version__: { kaimo: packageVersion() } })
}
