/** A recipe that does not say what it should: the path of each fault and what was expected. */
export class RecipeError extends Error {
  override name = 'RecipeError'
}
