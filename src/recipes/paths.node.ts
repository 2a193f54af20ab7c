import { stat } from 'node:fs/promises'
import { isAbsolute, resolve } from 'node:path'
import { DataError } from '../data/index.js'

/** Environment variable that names the folder of data, as `--data-dir` does. */
export const DATA_DIR_VARIABLE = 'KAIMO_DATA_DIR'

/** Where a recipe's data comes from. */
export interface Provenance {
  readonly name?: string
  readonly origin?: string
  readonly licence?: string
}

/** Finds data files: below a folder of data, where one is named, else (or else) from the present directory. */
export class DataFiles {
  private readonly roots: readonly string[]

  constructor(
    dataDir: string | undefined,
    private readonly provenance: Provenance,
  ) {
    const root = dataDir ?? process.env[DATA_DIR_VARIABLE]
    this.roots = root ? [root, '.'] : ['.']
  }

  /**
   * The path of a file that is there. `field` is its place in the recipe.
   * @throws DataError that names the places looked at and says how to get the data
   */
  async find(path: string, field: string): Promise<string> {
    const candidates = isAbsolute(path) ? [path] : this.roots.map((root) => resolve(root, path))
    for (const candidate of candidates) {
      const found = await stat(candidate).catch(() => null)
      if (found?.isFile()) return candidate
      if (found) throw new DataError(`${field}: ${candidate} is not a file`)
    }
    const { name, origin } = this.provenance
    const get = origin ? ` Get ${name ?? 'the data'} from ${origin};` : ''
    throw new DataError(
      `${field}: there is no file ${candidates.join(' and no file ')}.${get} name the folder that holds it with --data-dir DIR or ${DATA_DIR_VARIABLE}`,
    )
  }
}
