/** Models by folder or hub id, in the cache that Python's huggingface_hub shares. */
export { HubError, type HubErrorCode } from './errors.js'
export { CONFIG_FILES, PROCESSOR_FILES, resolveModelFiles, TOKENIZER_FILES } from './model-files.node.js'
export { type FilePattern, type ResolvedFiles, resolveFiles } from './resolve.node.js'
export { type HubOptions, type HubProgress, type HubSettings, hubSettings } from './settings.node.js'
