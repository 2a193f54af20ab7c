import { type Layer, Model, type PartialShape } from '../nn/index.js'
import { constant, ne, type Tensor, unsqueeze } from '../tensor/index.js'

/** What models over ids [batch, steps] share. Id 0 is padding. */
export abstract class TextModel extends Model {
  override readonly inputShapes: readonly PartialShape[] = [[null, null]]
  override readonly outputNames: readonly string[] = ['logits']
  abstract override readonly layers: readonly Layer[]

  /** Settings as they stand in `config.json`. */
  protected abstract readonly settings: object

  /** Shapes of the layers' outputs, in the order of `layers`. */
  protected abstract outputsOfLayers(): readonly PartialShape[]

  override summaryRows() {
    const shapes = this.outputsOfLayers()
    return this.layers.map((layer, i) => ({ layer, name: layer.name, shape: shapes[i], from: [] }))
  }

  override config(): Record<string, unknown> {
    return { ...this.settings }
  }
}

/** True at real steps: bool [batch, steps]. */
export const realSteps = (ids: Tensor): Tensor => ne(ids, constant(0, ids.dtype))

/** A mask [batch, steps] as factors [batch, steps, 1]. */
export const asFactors = (mask: Tensor): Tensor => unsqueeze(mask, -1).to('f32')
