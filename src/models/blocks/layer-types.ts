import type { JsonObject } from '../pretrained/config.js'

export interface SlidingConfig {
  readonly use_sliding_window?: boolean
  readonly sliding_window: number | null
  /** Layers before this one see everything. */
  readonly max_window_layers?: number
  readonly layer_types: readonly string[] | null
}

/** The window of each layer where the config turns windows on: by `layer_types`, or from `max_window_layers` on. */
export function slidingWindow(settings: SlidingConfig): (i: number) => number | null {
  const {
    use_sliding_window: on = true,
    sliding_window: window,
    layer_types: types,
    max_window_layers: first = 0,
  } = settings
  if (!on) return () => null
  return (i) => ((types ? types[i] === 'sliding_attention' : i >= first) ? window : null)
}

/** `layer_types` by a rule, where a config has none. */
export function layerTypes(json: JsonObject, layers: number, slides: (i: number) => boolean): JsonObject {
  if (Array.isArray(json.layer_types)) return json
  const count = typeof json.num_hidden_layers === 'number' ? Math.min(json.num_hidden_layers, 4096) : layers
  return {
    ...json,
    layer_types: Array.from({ length: count }, (_, i) => (slides(i) ? 'sliding_attention' : 'full_attention')),
  }
}
