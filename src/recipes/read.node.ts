import { readJsonFile } from '../tasks/model-folder.node.js'
import { parseRecipe, type Recipe } from './schema.js'

/** Settings of a recipe that a caller may replace. */
export interface RecipeOverrides {
  readonly output?: string
  readonly epochs?: number
  readonly seed?: number
}

/**
 * Reads a recipe from a JSON file; `overrides` take the place of what it says.
 * @throws FileError where it cannot be read, FormatError where it is not JSON, RecipeError listing every fault
 */
export async function readRecipe(path: string, overrides: RecipeOverrides = {}): Promise<Recipe> {
  const json = await readJsonFile(path)
  const given = Object.fromEntries(Object.entries(overrides).filter(([, value]) => value !== undefined))
  const isObject = typeof json === 'object' && json !== null && !Array.isArray(json)
  return parseRecipe(isObject ? { ...json, ...given } : json, path)
}
