import * as T from '../../../tensor/index.js'
import { DTypeValue, type PyValue } from '../values.js'

const ATTRIBUTES: Readonly<Record<string, (x: T.Tensor) => PyValue>> = {
  shape: (x) => x.shape,
  dtype: (x) => new DTypeValue(x.dtype),
  ndim: (x) => x.ndim,
  mT: T.mT,
  T: T.t,
}

/** An attribute of a tensor that is no method. */
export const attributeOf = (receiver: T.Tensor, name: string): PyValue | undefined =>
  Object.hasOwn(ATTRIBUTES, name) ? ATTRIBUTES[name](receiver) : undefined
