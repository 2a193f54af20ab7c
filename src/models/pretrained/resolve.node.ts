import { CONFIG_FILES, type HubOptions, resolveFiles, resolveModelFiles } from '../../hub/index.node.js'
import type { LoadOptions } from './options.js'

const hubOptions = (options: LoadOptions): HubOptions => ({
  revision: options.revision,
  cacheDir: options.cacheDir,
  offline: options.offline,
  token: options.token,
  endpoint: options.endpoint,
  signal: options.signal,
  onProgress: options.onDownload,
  onNote: options.onNote ?? ((note) => console.warn(note)),
})

/** The folder that a path or hub id names, config and weights in it. @throws HubError */
export const resolveModelFolder = (source: string, options: LoadOptions): Promise<string> =>
  resolveModelFiles(source, hubOptions(options))

/** Like {@link resolveModelFolder}, with no weights. @throws HubError */
export const resolveConfigFolder = async (source: string, options: LoadOptions): Promise<string> =>
  (await resolveFiles(source, CONFIG_FILES, hubOptions(options))).folder
