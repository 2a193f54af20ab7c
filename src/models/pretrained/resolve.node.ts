import { stat } from 'node:fs/promises'
import type { LoadOptions } from './options.js'

/** The folder that a path or hub id names. */
export async function resolveModelFolder(source: string, _options: LoadOptions): Promise<string> {
  const info = await stat(source).catch(() => null)
  if (info?.isDirectory()) return source
  throw new Error(`there is no model folder ${source}`)
}
