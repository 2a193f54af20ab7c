import type { Tensor } from '../../tensor/tensor.js'
import { UnsupportedError } from '../unsupported.js'
import { attributeOf } from './bindings/attributes.js'
import { CONSTANTS, FUNCTIONS } from './bindings/index.js'
import type { Host } from './evaluate.js'
import { binaryOperator, indexTensor, unaryOperator } from './operators.js'
import type { CallArgs, PyValue } from './values.js'

function call(path: string, args: CallArgs): PyValue | Promise<PyValue> {
  const signature = FUNCTIONS.get(path)
  if (!signature) throw new UnsupportedError(path)
  return signature.run(signature.bind(args))
}

/** A method is either bound as such or the function of its name with the tensor in front. */
function method(receiver: Tensor, name: string, args: CallArgs): PyValue | Promise<PyValue> {
  const signature = FUNCTIONS.get(`Tensor.${name}`) ?? FUNCTIONS.get(`torch.${name}`)
  if (!signature) throw new UnsupportedError(`Tensor.${name}`)
  return signature.run(signature.bind({ positional: [receiver, ...args.positional], keywords: args.keywords }))
}

/** torch, torch.nn.functional and torchvision.ops as the references' calls use them. */
export const torchHost: Host = {
  call,
  method,
  constant: (path) => CONSTANTS.get(path),
  attribute: attributeOf,
  index: indexTensor,
  unary: unaryOperator,
  binary: binaryOperator,
}
