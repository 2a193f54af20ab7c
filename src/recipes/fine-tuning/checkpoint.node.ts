import type { AutoModelFactory, LoadOptions, PreTrainedModel } from '../../models/index.node.js'
import { type FoundModel, findSource, openTokenizer } from '../../tasks/open.node.js'
import { TextModel } from '../../tasks/text-model.js'
import type { PreTrainedTokenizer } from '../../text/tokenizers/index.js'
import { RecipeError } from '../recipe-error.js'
import type { TuningRecipe } from './schema.js'

export interface TuningOptions {
  /** Folder of the fine-tuned checkpoint to use in place of the recipe's. */
  readonly tuned?: string
  readonly signal?: AbortSignal
}

/** The checkpoint that a recipe goes on from, or that it made; its weights are read when its head is known. */
export class Checkpoint {
  /** Remarks on what was read. */
  readonly notes: string[] = []

  private constructor(
    readonly found: FoundModel,
    readonly tokenizer: PreTrainedTokenizer,
    private readonly padding: number,
    /** Whether it is what the recipe made. */
    readonly tuned: boolean,
    /** Fields of its config to change. */
    private readonly changes: LoadOptions['config'],
    private readonly signal?: AbortSignal,
  ) {}

  /** @throws RecipeError where it cannot be fine-tuned, Error where it cannot be found */
  static async open(recipe: TuningRecipe, { tuned, signal }: TuningOptions): Promise<Checkpoint> {
    const { initialModel, task, config } = recipe
    const found = await findSource(tuned ?? initialModel, { signal })
    if (found.own)
      throw new RecipeError(
        `initialModel: ${found.name} is a model of this package, which ${task} does not take: fine-tune it with the task ${String(found.config.task)}`,
      )
    const tokenizer = await openTokenizer(found, { signal })
    const padding = found.config.pad_token_id ?? tokenizer.padTokenId
    if (typeof padding !== 'number')
      throw new RecipeError(`initialModel: ${found.name} names no padding token, which batches of texts need`)
    return new Checkpoint(found, tokenizer, padding, tuned !== undefined, config, signal)
  }

  /** Reads the weights: with the head that it has where it is tuned, else with one by `head`. */
  async load(auto: AutoModelFactory, head: LoadOptions = {}): Promise<TextModel> {
    const { found, tokenizer, signal, notes, changes } = this
    const loading: LoadOptions = { dtype: 'f32', signal, onNote: (note) => notes.push(note) }
    // Decoders' configs often name no padding.
    const config = {
      ...changes,
      ...head.config,
      ...(tokenizer.padTokenId === null ? {} : { pad_token_id: this.padding }),
    }
    const model: PreTrainedModel = await auto.fromPretrained(
      found.source,
      this.tuned ? loading : { ...loading, ...head, config },
    )
    return new TextModel(found.name, model, tokenizer)
  }
}
