import { Module, torch } from '../../nn/index.js'
import { cat, type Parameter, random, type Tensor, zeros } from '../../tensor/index.js'
import type { CacheShape } from '../blocks/cache.js'
import { type BaseConfig, type ConfigSpec, type JsonObject, parseConfig } from './config.js'
import type { ModelInputs, ModelOutput } from './io.js'
import type { KeyRule } from './keys.js'
import type { LoadOptions, LoadReport } from './options.js'

/** What the classes of one `model_type` share. */
export interface Family {
  readonly config: ConfigSpec<object>
  /** Property under which heads hold the base model; empty where the classes have none. */
  readonly prefix: string
  /** Differences between names in files and in the model. */
  readonly keys?: readonly KeyRule[]
  /** Parameters of the base model that files may lack: they start anew, with a note. */
  readonly optional?: RegExp
  /** Tensors that files hold without use: passed over in silence where the model has no place for them. */
  readonly ignored?: RegExp
}

/** A class of models with the family that it belongs to. */
export interface ModelClass<M extends PreTrainedModel = PreTrainedModel> {
  new (config: never): M
  readonly family: Family
  readonly name: string
}

export interface SaveOptions {
  /** Bytes past which weights are cut into several files; default 50 GB. */
  readonly maxShardBytes?: number
  /** Element type to store floats in; default: as they are. */
  readonly dtype?: 'f32' | 'f16' | 'bf16'
  readonly signal?: AbortSignal
}

/** How models reach the disk: set by the entry for Node, since models themselves run anywhere. */
export interface ModelStore {
  load<M extends PreTrainedModel>(model: ModelClass<M>, source: string, options: LoadOptions): Promise<M>
  save(model: PreTrainedModel, folder: string, options: SaveOptions): Promise<void>
}

let store: ModelStore | null = null

/** Registers what {@link PreTrainedModel.fromPretrained} and `savePretrained` use. */
export const setModelStore = (next: ModelStore): void => {
  store = next
}

function requireStore(): ModelStore {
  if (!store) throw new Error('models cannot be read from or written to disk here: import kaimo in Node')
  return store
}

/**
 * A model with the names, options and outputs of the transformers library. Property path = checkpoint key. Constructing one draws nothing:
 * {@link initWeights} or a checkpoint gives the weights.
 */
export abstract class PreTrainedModel<C extends BaseConfig = BaseConfig> extends Module {
  static readonly family: Family
  /** What loading found, where the weights came from a file. */
  loadReport: LoadReport | null = null
  /** The `generation_config.json` beside the weights. */
  generationConfig: JsonObject | null = null

  constructor(public config: C) {
    super()
  }

  abstract forward(inputs: ModelInputs): ModelOutput

  /** Standard deviation of fresh matrices. */
  protected get initStd(): number {
    const std = (this.config as { initializer_range?: unknown }).initializer_range
    return typeof std === 'number' ? std : 0.02
  }

  /** Gives every parameter a fresh value, or those of `only`. */
  initWeights(only?: ReadonlySet<Parameter>): this {
    for (const [, module] of this.namedModules()) initModule(module, this.initStd, only)
    return this
  }

  /** What each layer keeps of a token while text is generated; null for models that generate none. */
  cacheShapes(): readonly CacheShape[] | null {
    return null
  }

  /** Whether text can be generated with it: from what layers keep of each token, or by reading the whole text at every step. */
  get generates(): boolean {
    return this.cacheShapes() !== null
  }

  /** States of the inputs [B, S, H], for models that read before they write. */
  encode(_inputs: ModelInputs): Tensor {
    throw new TypeError(`${this.constructor.name} has no encoder of its own`)
  }

  /** Vectors of the input tokens; null for models without. */
  inputEmbeddings(): torch.Embedding | null {
    return null
  }

  /** Parameters with one row (or entry) a token beside the input embeddings: heads over the vocabulary. */
  vocabularyParameters(): readonly Parameter[] {
    return []
  }

  /**
   * Makes room for `tokens` tokens in the embeddings and the heads over the vocabulary; new rows are drawn like fresh weights.
   * @throws Error for a model without token embeddings
   */
  resizeTokenEmbeddings(tokens: number): this {
    const embedding = this.inputEmbeddings()
    if (!embedding) throw new Error(`${this.constructor.name} has no token embeddings`)
    if (!Number.isInteger(tokens) || tokens < 1)
      throw new RangeError(`a vocabulary needs at least one token, got ${tokens}`)
    for (const parameter of new Set([embedding.weight, ...this.vocabularyParameters()]))
      resizeRows(parameter, tokens, this.initStd)
    this.config = { ...this.config, vocab_size: tokens }
    return this
  }

  /** A model with fresh weights from a config, or from some of its fields. */
  static fromConfig<M extends PreTrainedModel>(this: ModelClass<M>, config: object = {}): M {
    // biome-ignore lint/complexity/noThisInStatic: the class that it is called on
    const parsed = 'raw' in config ? config : parseConfig(this.family.config, config)
    return new this(parsed as never).initWeights().eval()
  }

  /** A model of this class from a checkpoint folder or hub id, in evaluation mode. */
  static fromPretrained<M extends PreTrainedModel>(
    this: ModelClass<M>,
    source: string,
    options: LoadOptions = {},
  ): Promise<M> {
    // biome-ignore lint/complexity/noThisInStatic: the class that it is called on
    return requireStore().load(this, source, options)
  }

  /** Writes config and weights in the published layout; files appear whole or not at all. */
  savePretrained(folder: string, options: SaveOptions = {}): Promise<void> {
    return requireStore().save(this, folder, options)
  }
}

/** A module that draws its own parameters anew. */
export interface Initialises {
  initParameters(std: number, wants: (parameter: Parameter) => boolean): void
}

const initialises = (module: Module): module is Module & Initialises => 'initParameters' in module

function initModule(module: Module, std: number, only?: ReadonlySet<Parameter>): void {
  const wants = (parameter: Parameter): boolean => !only || only.has(parameter)
  const draw = (parameter: Parameter): void => {
    if (wants(parameter)) parameter.cell.settle(random.normal(parameter.shape, { std }).value)
  }
  const clear = (parameter: Parameter | null): void => {
    if (parameter && wants(parameter)) parameter.cell.settle(zeros(parameter.shape).value)
  }
  if (initialises(module)) module.initParameters(std, wants)
  else if (module instanceof torch.Linear || module instanceof torch.Conv1d || module instanceof torch.Conv2d) {
    draw(module.weight)
    clear(module.bias)
  } else if (module instanceof torch.Embedding) draw(module.weight)
}

function resizeRows(parameter: Parameter, rows: number, std: number): void {
  const { shape, dtype } = parameter
  if (shape[0] === rows) return
  const kept = parameter.value.narrow(0, 0, Math.min(rows, shape[0]))
  if (rows < shape[0]) {
    parameter.cell.settle(kept.value)
    return
  }
  const more = [rows - shape[0], ...shape.slice(1)]
  const fresh = shape.length > 1 ? random.normal(more, { std }) : zeros(more)
  parameter.cell.settle(cat([kept, fresh.to(dtype)], 0).value)
}
