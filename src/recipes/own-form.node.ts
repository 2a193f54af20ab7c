import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { writeFileAtomic, writeSafetensors } from '../formats/index.node.js'
import type { ModelConfig } from '../models/index.js'
import type { Model } from '../nn/index.js'
import { CONFIG_FILE, VOCAB_FILE, WEIGHTS_FILE } from '../tasks/model-folder.node.js'
import type { CharVocab } from '../text/char-vocab.js'
import { hostArrays } from '../train/index.node.js'
import type { ModelForm } from './job.js'

export interface OwnModel {
  readonly model: Model
  /** What `config.json` will hold. */
  readonly config: ModelConfig
  readonly vocab: CharVocab | null
}

const count = (value: number): string => value.toLocaleString('en-US')

function limitsOf(config: ModelConfig): string[] {
  if (config.task === 'image-classification') {
    const { height, width, channels } = config.image
    return [
      `Images of exactly ${height} x ${width} pixels${channels > 1 ? `, ${channels} channels` : ', grey'}; nothing is resized.`,
    ]
  }
  if (config.task === 'language-modeling')
    return [`Sees the last ${config.sequence_length} characters; knows ${config.vocab_size - 2} different ones.`]
  const { max_length: maxLength, truncation } = config.tokenizer
  const longer = {
    error: 'longer texts are refused',
    head: 'of longer texts the start is read',
    headAndTail: 'of longer texts the start and the end are read, in equal parts',
  }[truncation]
  return [
    `Reads ${maxLength} characters; ${longer}. Knows ${count(config.vocab_size - 2)} different characters.`,
    `Classes: ${config.labels.join(', ')}. It was trained on one kind of text: on others its accuracy is not known.`,
  ]
}

/** Writes an object as a JSON file, whole or not at all. */
export async function writeJson(path: string, value: unknown): Promise<void> {
  const bytes = new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`)
  await writeFileAtomic(path, (sink) => sink.write(bytes))
}

/** This package's own layout: weights, vocabulary, config. */
export const ownForm = ({ model, config, vocab }: OwnModel): ModelForm => ({
  modelType: config.model_type,
  knows: vocab ? `${count(vocab.size)} characters known` : null,
  limits: limitsOf(config),
  async write(folder) {
    await writeSafetensors(join(folder, WEIGHTS_FILE), await hostArrays(model.stateDict()), { format: 'pt' })
    const vocabulary = join(folder, VOCAB_FILE)
    if (vocab) await writeJson(vocabulary, vocab.toJSON())
    else await rm(vocabulary, { force: true })
    await writeJson(join(folder, CONFIG_FILE), config)
  },
})
