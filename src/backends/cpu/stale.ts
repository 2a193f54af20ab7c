import { createHash } from 'node:crypto'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** Sources by path from the package's root: size in bytes and SHA-256, as `scripts/build-native.mjs` writes them beside the addon. */
type Sources = Readonly<Record<string, readonly [bytes: number, sha256: string]>>

/** The folder with `native/addon`, or null where an addon came without its sources. */
function sourceRoot(addon: string): string | null {
  const folders = ['..', '../..'].map((up) => join(dirname(addon), up))
  return folders.find((folder) => existsSync(join(folder, 'native', 'addon'))) ?? null
}

function differs(file: string, [bytes, sha256]: readonly [number, string], built: number): boolean {
  const stat = statSync(file, { throwIfNoEntry: false })
  if (!stat || stat.size !== bytes) return true
  // Reading them all would cost more than the rest of the start.
  if (stat.mtimeMs <= built) return false
  return createHash('sha256').update(readFileSync(file)).digest('hex') !== sha256
}

/** Names of sources that are not those that `addon` was built from; none where there is no record, or there are no sources. */
export function changedSources(addon: string): string[] {
  const record = `${addon}.sources.json`
  const root = sourceRoot(addon)
  if (root === null || !existsSync(record)) return []
  const built = statSync(addon).mtimeMs
  const sources = JSON.parse(readFileSync(record, 'utf8')) as Sources
  return Object.entries(sources).flatMap(([name, known]) => (differs(join(root, name), known, built) ? [name] : []))
}

/** Says so where the addon was built from other sources than those present: it may lack kernels, or run old ones. */
export function warnIfStale(addon: string): void {
  const changed = changedSources(addon)
  if (changed.length === 0) return
  const more = changed.length > 1 ? ` and ${changed.length - 1} more` : ''
  process.emitWarning(
    `${addon} was built from other sources: ${changed[0]}${more} changed since; run "npm run build:native"`,
    { type: 'Warning', code: 'KAIMO_STALE_ADDON' },
  )
}
