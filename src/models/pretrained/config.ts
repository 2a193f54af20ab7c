/** `config.json` of published checkpoints: exact field names, the defaults of transformers 5, every other field kept for saving. */

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json }
export type JsonObject = { readonly [key: string]: Json }

export type ProblemType = 'regression' | 'single_label_classification' | 'multi_label_classification'

/** What every model has. */
export interface BaseConfig {
  readonly model_type: string
  readonly architectures: readonly string[] | null
  readonly output_hidden_states: boolean
  readonly output_attentions: boolean
  readonly is_encoder_decoder: boolean
  readonly tie_word_embeddings: boolean
  readonly problem_type: ProblemType | null
  readonly pad_token_id: number | null
  readonly bos_token_id: number | null
  readonly eos_token_id: number | readonly number[] | null
  readonly decoder_start_token_id: number | null
  /** Label names by index; `num_labels` is their number. */
  readonly id2label: Readonly<Record<string, string>>
  readonly label2id: Readonly<Record<string, number>>
  readonly num_labels: number
  /** The object that was read, with fields this build does not know. */
  readonly raw: JsonObject
}

const BASE = {
  architectures: null as readonly string[] | null,
  output_hidden_states: false,
  output_attentions: false,
  is_encoder_decoder: false,
  tie_word_embeddings: true,
  problem_type: null as ProblemType | null,
  pad_token_id: null as number | null,
  bos_token_id: null as number | null,
  eos_token_id: null as number | readonly number[] | null,
  decoder_start_token_id: null as number | null,
}

/** What a family states of its config: defaults name the fields and their types. */
export interface ConfigSpec<D extends object> {
  readonly model_type: string
  readonly defaults: D
  /** Other spellings: alias to field. */
  readonly aliases?: Readonly<Record<string, string>>
  /** Rewrites older layouts before defaults are filled in. */
  readonly upgrade?: (json: JsonObject) => JsonObject
  /** Fields that follow from others. */
  derive?(config: D & BaseConfig): Partial<D>
}

export type ConfigOf<S> = S extends ConfigSpec<infer D> ? BaseConfig & Readonly<D> : never

export const defineConfig = <D extends object>(spec: ConfigSpec<D>): ConfigSpec<D> => spec

/** More would only be reached by a file that means harm: layers are built before any weight is read. */
const MAX_LAYERS = 4096
const MAX_SIZE = 2 ** 31 - 1

const isObject = (value: unknown): value is Record<string, Json> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const kind = (value: unknown): string =>
  value === null ? 'null' : Array.isArray(value) ? 'a list' : `a ${typeof value}`

const COUNTS = /(^num_|^n_|_size$|_layers$|_dim$|_heads$|^dim$|^depth$)/
const LAYERS =
  /^(num_hidden_layers|n_layers?|num_layers|num_decoder_layers|encoder_layers|decoder_layers|depth|num_local_experts|num_experts|n_routed_experts)$/

function checkField(key: string, value: Json, standard: unknown, source: string): void {
  if (value === null || standard === null || standard === undefined) return
  const wanted = kind(standard)
  const mixed = Array.isArray(value) || Array.isArray(standard)
  if (kind(value) !== wanted && !(mixed && typeof standard !== 'string' && typeof standard !== 'boolean'))
    throw new TypeError(`${source}: ${key} should be ${wanted}, got ${JSON.stringify(value)?.slice(0, 80)}`)
  if (typeof value === 'number' && COUNTS.test(key) && Number.isInteger(standard)) {
    const limit = LAYERS.test(key) ? MAX_LAYERS : MAX_SIZE
    if (!Number.isInteger(value) || value < -1 || value > limit)
      throw new RangeError(`${source}: ${key} should be a count of at most ${limit}, got ${value}`)
  }
}

interface Labels {
  readonly id2label: Readonly<Record<string, string>>
  readonly label2id: Readonly<Record<string, number>>
  readonly num_labels: number
}

/** Names for `count` classes where a config gives none. */
export function labelsFor(count: number): Labels {
  const names = Array.from({ length: count }, (_, i) => `LABEL_${i}`)
  return labelsNamed(names)
}

function labelsNamed(names: readonly string[]): Labels {
  return {
    id2label: Object.fromEntries(names.map((name, i) => [String(i), name])),
    label2id: Object.fromEntries(names.map((name, i) => [name, i])),
    num_labels: names.length,
  }
}

const MAX_LABELS = 1_000_000

function readLabels(json: JsonObject, source: string): Labels {
  const { id2label, label2id, num_labels: count } = json
  if (isObject(id2label)) {
    const named = Object.fromEntries(Object.entries(id2label).map(([key, name]) => [key, String(name)]))
    const back = isObject(label2id)
      ? Object.fromEntries(Object.entries(label2id).map(([name, id]) => [name, Number(id)]))
      : Object.fromEntries(Object.entries(named).map(([key, name]) => [name, Number(key)]))
    return { id2label: named, label2id: back, num_labels: Object.keys(named).length }
  }
  const wanted = count ?? 2
  if (typeof wanted !== 'number' || !Number.isInteger(wanted) || wanted < 0 || wanted > MAX_LABELS)
    throw new RangeError(
      `${source}: num_labels should be a count of at most ${MAX_LABELS}, got ${JSON.stringify(wanted)}`,
    )
  return labelsFor(wanted)
}

/**
 * A config from the object of a `config.json` (or from a user's partial one): aliases resolved, defaults filled in, types checked.
 * @throws TypeError or RangeError naming file, field and value
 */
export function parseConfig<D extends object>(
  spec: ConfigSpec<D>,
  json: unknown,
  source = 'config',
): BaseConfig & Readonly<D> {
  if (!isObject(json)) throw new TypeError(`${source}: expected an object of fields, got ${kind(json)}`)
  const upgraded = spec.upgrade ? spec.upgrade(json) : json
  const standards: Record<string, unknown> = { ...BASE, ...spec.defaults }
  const fields: Record<string, Json> = {}
  for (const [given, value] of Object.entries(upgraded)) {
    const key = spec.aliases && Object.hasOwn(spec.aliases, given) ? spec.aliases[given] : given
    if (!Object.hasOwn(standards, key)) continue
    checkField(key, value, standards[key], source)
    // null says "not set" for fields that have a value otherwise.
    if (value !== null || standards[key] === null || OPTIONAL.has(key)) fields[key] = value
  }
  const merged = {
    ...standards,
    ...fields,
    ...readLabels(upgraded, source),
    model_type: spec.model_type,
    raw: upgraded,
  }
  const config = merged as unknown as BaseConfig & D
  return Object.freeze(spec.derive ? { ...config, ...spec.derive(config) } : config)
}

/** Fields with a default that a file may switch off. */
const OPTIONAL: ReadonlySet<string> = new Set([
  'pad_token_id',
  'bos_token_id',
  'eos_token_id',
  'decoder_start_token_id',
  'sliding_window',
  'num_key_value_heads',
  'head_dim',
  'attn_logit_softcapping',
  'final_logit_softcapping',
])

/** A copy with other fields, as from `parseConfig`. */
export function withFields<C extends BaseConfig>(config: C, fields: Partial<C>): C {
  return Object.freeze({ ...config, ...fields })
}

/** A copy for `count` classes; names are kept where the number stays. */
export const withLabels = <C extends BaseConfig>(config: C, labels: number | readonly string[]): C => {
  if (typeof labels === 'number') return labels === config.num_labels ? config : { ...config, ...labelsFor(labels) }
  return { ...config, ...labelsNamed(labels) }
}

const NOT_SAVED: ReadonlySet<string> = new Set(['raw', 'num_labels'])

/** The object to write as `config.json`: what was read, with every known field at its present value. */
export function configJson(config: BaseConfig, more: JsonObject = {}): JsonObject {
  // Python takes null for a value: what was not set is left out.
  const known = Object.fromEntries(
    Object.entries(config).filter(
      ([key, value]) => !NOT_SAVED.has(key) && (value !== null || key in config.raw || key.endsWith('_token_id')),
    ),
  ) as JsonObject
  const all: Record<string, Json> = { ...config.raw, ...known, ...more }
  delete all.torch_dtype
  delete all.num_labels
  return Object.fromEntries(Object.entries(all).sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** Fields that transformers' configs take as floats only. */
const REAL = `
  attention_probs_dropout_prob attn_logit_softcapping batch_norm_eps box_noise_scale contrastive_logits_temperature
  decoder_layerdrop decoder_offset_scale diversity_loss_weight embed_init_std encoder_layerdrop eos_coefficient
  final_logit_softcapping focal_loss_alpha focal_loss_gamma hidden_dropout_prob hidden_expansion init_std
  init_xavier_std initializer_bias_prior_prob initializer_cutoff_factor initializer_factor initializer_range
  label_noise_ratio layer_norm_eps layer_norm_epsilon layer_scale_init_value layerscale_value matcher_alpha
  matcher_bbox_cost matcher_class_cost matcher_gamma matcher_giou_cost norm_eps rms_norm_eps rope_theta
  routed_scaling_factor router_aux_loss_coef router_jitter_noise time_step_floor time_step_max time_step_min
  weight_loss_bbox weight_loss_giou weight_loss_vfl
`
  .trim()
  .split(/\s+/)
  .join('|')
const WHOLE_REAL = new RegExp(`^( *"(?:${REAL})": -?\\d+)(,?)$`, 'gm')

/** The text of a config.json. Python tells 2.0 from 2, and transformers refuses the latter for some fields. */
export const configText = (json: JsonObject): string =>
  `${JSON.stringify(json, null, 2).replace(WHOLE_REAL, '$1.0$2')}\n`
