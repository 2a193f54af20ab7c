import { given, Undefined, type Value } from './values.js'

/** Variables of a block, inside those around it. */
export class Scope {
  private readonly values = new Map<string, Value>()

  constructor(private readonly parent: Scope | ReadonlyMap<string, Value>) {}

  find(name: string): Value | undefined {
    let scope: Scope = this
    for (;;) {
      const value = scope.values.get(name)
      if (value !== undefined) return value
      if (!(scope.parent instanceof Scope)) return scope.parent.get(name)
      scope = scope.parent
    }
  }

  get(name: string): Value {
    return given(this.find(name), () => new Undefined(`'${name}' is undefined`))
  }

  set(name: string, value: Value): void {
    this.values.set(name, value)
  }
}
