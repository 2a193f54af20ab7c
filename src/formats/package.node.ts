import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const NAME = 'kaimo'

const manifestOf = (folder: string): { name?: string; version?: string } =>
  JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { name?: string; version?: string }

let found: string | null = null

/**
 * Folder of this package: the nearest one above this module whose package.json has its name. A build may put modules at other depths
 * than the sources have, so a path relative to a module would not do.
 * @throws Error where there is none, as in a bundle made of the package.
 */
export function packageRoot(): string {
  if (found) return found
  let folder = dirname(fileURLToPath(import.meta.url))
  while (!(existsSync(join(folder, 'package.json')) && manifestOf(folder).name === NAME)) {
    const parent = dirname(folder)
    if (parent === folder) throw new Error(`the folder of the package ${NAME} was not found above ${import.meta.url}`)
    folder = parent
  }
  found = folder
  return folder
}

/** Version of this package. */
export const packageVersion = (): string => manifestOf(packageRoot()).version ?? ''
