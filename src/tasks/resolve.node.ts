import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { packageRoot } from '../formats/package.node.js'

/** Where the models that come with the package are; each is a folder. */
const embeddedFolder = (): string => join(packageRoot(), 'models')

const isModelFolder = async (path: string): Promise<boolean> =>
  (await stat(join(path, 'config.json')).catch(() => null))?.isFile() ?? false

/** Names of the models that come with the package. */
export async function embeddedModels(): Promise<string[]> {
  const names = await readdir(embeddedFolder()).catch(() => [])
  const found = await Promise.all(
    names.map(async (name) => ((await isModelFolder(join(embeddedFolder(), name))) ? [name] : [])),
  )
  return found.flat().sort()
}

/** The folder of a model: a path, or the name of one that comes with the package; null where it is neither. */
export async function findModel(nameOrPath: string): Promise<string | null> {
  if (await isModelFolder(nameOrPath)) return nameOrPath
  const plain = /^[\w.-]+$/.test(nameOrPath) && !nameOrPath.startsWith('.')
  const embedded = join(embeddedFolder(), nameOrPath)
  if (plain && (await isModelFolder(embedded))) return embedded
  if (await stat(nameOrPath).catch(() => null))
    throw new Error(`${nameOrPath} is not a model folder: it has no config.json`)
  return null
}

/**
 * Like {@link findModel}, for models that must be on this machine.
 * @throws Error that says what was looked for and which embedded models there are
 */
export async function resolveModel(nameOrPath: string): Promise<string> {
  const found = await findModel(nameOrPath)
  if (found !== null) return found
  const known = (await embeddedModels()).join(', ') || 'none'
  throw new Error(`there is no model folder ${nameOrPath} and no embedded model of that name (embedded: ${known})`)
}
