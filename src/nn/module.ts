import { Flag } from '../runtime/index.js'
import { asTensor, Parameter, sizeOf, type Tensor, type TensorLike } from '../tensor/index.js'

export interface NamedParameter {
  readonly name: string
  readonly parameter: Parameter
}

export type Child = readonly [path: string, value: Parameter | Module]

function* childrenOf(owner: object, prefix: string): Generator<Child> {
  for (const [key, value] of Object.entries(owner)) {
    const path = prefix ? `${prefix}.${key}` : key
    if (value instanceof Parameter || value instanceof Module) yield [path, value]
    else if (Array.isArray(value) && value.some((item) => item instanceof Module || item instanceof Parameter))
      yield* childrenOf({ ...value }, path)
    else if (value instanceof Map)
      yield* childrenOf(Object.fromEntries([...value].filter(([name]) => typeof name === 'string')), path)
  }
}

/** A child, or what it is computed from, under torch's names (torch/nn/utils/parametrize.py). */
function* heldFor([path, child]: Child): Generator<Child> {
  if (!(child instanceof Parameter && child.derivation)) yield [path, child]
  else {
    const at = path.lastIndexOf('.') + 1
    const place = `${path.slice(0, at)}parametrizations.${path.slice(at)}`
    for (const [name, source] of Object.entries(child.derivation.sources)) yield [`${place}.${name}`, source]
  }
}

/**
 * A part of a model that owns parameters. Property path = checkpoint key: a Parameter under `this.encoder.layer[0].weight` is saved as
 * `encoder.layer.0.weight`. Parameters with `trainable: false` are buffers. Subclasses define `forward`.
 */
export abstract class Module {
  readonly #training = new Flag<boolean>(true)

  /** True between `train()` and `eval()`; compiled functions keep one program for each mode. */
  get training(): boolean {
    return this.#training.get()
  }

  /** Sets training mode here and below (dropout drops, normalisation uses batch statistics). */
  train(mode = true): this {
    this.#training.set(mode)
    for (const [, child] of this.children()) if (child instanceof Module) child.train(mode)
    return this
  }

  /** Sets evaluation mode here and below. */
  eval(): this {
    return this.train(false)
  }

  /** Parameters and modules held directly, with their property paths. Override to give other names. */
  protected children(): Iterable<Child> {
    return childrenOf(this, '')
  }

  /** {@link children} with the sources of computed parameters in their places. */
  *#held(): Generator<Child> {
    for (const child of this.children()) yield* heldFor(child)
  }

  /** Every parameter and buffer with its path, each cell once (tied weights appear under their first name). */
  *namedParameters(prefix = '', seen = new Set<Parameter>()): Generator<NamedParameter> {
    for (const [path, child] of this.#held()) {
      const name = prefix ? `${prefix}.${path}` : path
      if (child instanceof Module) yield* child.namedParameters(name, seen)
      else if (!seen.has(child)) {
        seen.add(child)
        yield { name, parameter: child }
      }
    }
  }

  /** Every place of every parameter: tied weights appear under each of their paths. */
  *parameterReferences(prefix = ''): Generator<NamedParameter> {
    for (const [path, child] of this.#held()) {
      const name = prefix ? `${prefix}.${path}` : path
      if (child instanceof Module) yield* child.parameterReferences(name)
      else yield { name, parameter: child }
    }
  }

  /** Modules below this one with their paths, itself first under the empty path. */
  *namedModules(prefix = ''): Generator<readonly [string, Module]> {
    yield [prefix, this]
    for (const [path, child] of this.children())
      if (child instanceof Module) yield* child.namedModules(prefix ? `${prefix}.${path}` : path)
  }

  /** Every parameter and buffer. */
  parameters(): Parameter[] {
    return [...this.namedParameters()].map(({ parameter }) => parameter)
  }

  /** What optimizers update. */
  trainableParameters(): Parameter[] {
    return this.parameters().filter((parameter) => parameter.trainable)
  }

  /** Excludes all parameters here and below from training; buffers keep as they are. */
  freeze(): this {
    this.setTrainable(false)
    return this
  }

  /** Undoes {@link freeze}. */
  unfreeze(): this {
    this.setTrainable(true)
    return this
  }

  protected setTrainable(trainable: boolean): void {
    for (const [, child] of this.#held()) {
      if (child instanceof Module) child.setTrainable(trainable)
      else setParameterTrainable(child, trainable)
    }
  }

  /** Number of elements of all parameters and buffers, or of the trainable ones. */
  countParams(options: { trainableOnly?: boolean } = {}): number {
    const counted = options.trainableOnly ? this.trainableParameters() : this.parameters()
    return counted.reduce((sum, parameter) => sum + sizeOf(parameter.shape), 0)
  }

  /** Parameters by checkpoint key. */
  stateDict(): Record<string, Parameter> {
    return Object.fromEntries([...this.namedParameters()].map(({ name, parameter }) => [name, parameter]))
  }

  /** The parameter held directly under a name, itself where it is computed from others; null where there is none. */
  ownParameter(name: string): Parameter | null {
    for (const [path, child] of this.children()) if (path === name && child instanceof Parameter) return child
    return null
  }

  /** Keys of older files and those that stand for them now. */
  *#legacyKeys(): Generator<readonly [old: string, now: string]> {
    for (const [prefix, module] of this.namedModules())
      for (const [path, child] of module.children()) {
        if (!(child instanceof Parameter && child.derivation)) continue
        const name = prefix ? `${prefix}.${path}` : path
        const [place] = heldFor([name, child])
        const now = place[0].slice(0, place[0].length - Object.keys(child.derivation.sources)[0].length)
        for (const [old, source] of Object.entries(child.derivation.legacy)) yield [`${name}${old}`, `${now}${source}`]
      }
  }

  /**
   * Takes values by checkpoint key, as torch's load_state_dict. Tied weights may come under any of their paths; weights of normed layers under
   * the names of older files (`weight_g`, `weight_v`). Values are converted to the dtypes of the parameters.
   * @returns keys that were not given and keys that fit nothing; both are empty where `strict`
   * @throws RangeError where a shape differs, and, unless `strict` is false, listing missing and unexpected keys
   */
  loadStateDict(
    state: Readonly<Record<string, TensorLike>>,
    { strict = true }: { strict?: boolean } = {},
  ): { missing: string[]; unexpected: string[] } {
    const slots = new Map([...this.parameterReferences()].map(({ name, parameter }) => [name, parameter]))
    const renamed = new Map(this.#legacyKeys())
    const values = new Map<Parameter, Tensor>()
    const unexpected: string[] = []
    for (const [key, given] of Object.entries(state)) {
      const slot = slots.get(key) ?? slots.get(renamed.get(key) ?? '')
      if (!slot) {
        unexpected.push(key)
        continue
      }
      const value = asTensor(given)
      if (String(value.shape) !== String(slot.shape))
        throw new RangeError(`loadStateDict: ${key} must have shape [${slot.shape}], got [${value.shape}]`)
      values.set(slot, value.to(slot.dtype))
    }
    const missing = [...this.namedParameters()]
      .filter(({ parameter }) => !values.has(parameter))
      .map(({ name }) => name)
    if (strict && missing.length + unexpected.length > 0)
      throw new RangeError(
        `loadStateDict: missing keys: ${missing.join(', ') || 'none'}; unexpected keys: ${unexpected.join(', ') || 'none'}`,
      )
    for (const [slot, value] of values) slot.value = value
    return { missing, unexpected }
  }
}

const frozen = new WeakSet<Parameter>()

/** Freezes a parameter, or undoes that; buffers, which never train, stay as they are. */
export function setParameterTrainable(parameter: Parameter, trainable: boolean): void {
  if (trainable) {
    if (frozen.delete(parameter)) parameter.trainable = true
  } else if (parameter.trainable) {
    frozen.add(parameter)
    parameter.trainable = false
  }
}
