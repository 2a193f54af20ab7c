import { loadAddon, type NativeAddon } from './addon.js'

let addon: NativeAddon | null | undefined

function availableAddon(): NativeAddon | null {
  try {
    return loadAddon().addon
  } catch {
    return null
  }
}

/** Part of an open file as memory, through the native addon; null where there is none, or no mapping. */
export function mapFileNatively(descriptor: number, start: number, bytes: number): ArrayBuffer | null {
  if (addon === undefined) addon = availableAddon()
  return addon?.mapFile(descriptor, start, bytes) ?? null
}
