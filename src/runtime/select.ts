import type { Backend } from './backend.js'

type Factory = () => Backend

const factories = new Map<string, Factory>()
let current: Backend | null = null
let preferred: readonly string[] = []

/** Makes a backend known by name. The factory throws an Error that says why the backend cannot run here. */
export function registerBackend(name: string, factory: Factory): void {
  factories.set(name, factory)
}

/** Names in the order in which they are tried when no backend was chosen; `onFallback` hears why one was passed over. */
export function preferBackends(
  names: readonly string[],
  onFallback: (name: string, reason: string) => void = () => {},
): void {
  preferred = names
  fallback = onFallback
}
let fallback: (name: string, reason: string) => void = () => {}

function create(name: string): Backend {
  const factory = factories.get(name)
  if (!factory) throw new Error(`unknown backend '${name}'; known: ${[...factories.keys()].join(', ') || 'none'}`)
  return factory()
}

/**
 * Chooses the backend that runs everything from now on. Tensors of host backends stay valid.
 * @throws Error naming the backend and why it cannot run here.
 */
export function setBackend(backend: Backend | string): Backend {
  current = typeof backend === 'string' ? create(backend) : backend
  return current
}

/** The chosen backend; the first preferred one that works here where none was chosen. */
export function currentBackend(): Backend {
  if (current) return current
  const reasons: string[] = []
  for (const name of preferred) {
    try {
      return setBackend(name)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      reasons.push(`${name}: ${reason}`)
      fallback(name, reason)
    }
  }
  throw new Error(
    `no backend can run here${reasons.length > 0 ? ` (${reasons.join('; ')})` : '; import kaimo, or register one'}`,
  )
}
