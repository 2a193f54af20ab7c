export {
  type Activation as ActivationFunction,
  type ActivationLike,
  activationName,
  getActivation,
  registerActivation,
} from './activations.js'
export * from './constraints.js'
export * from './factories.js'
export * from './from-config.js'
export * from './functional.js'
export * from './initializers.js'
export * from './layer.js'
export * from './layers/index.js'
export * from './losses/index.js'
export * from './model.js'
export * from './module.js'
export { resetNames, snakeName } from './names.js'
export * from './regularizers.js'
export * from './sequential.js'
export { isKerasObject, type KerasObject, toSnake } from './serial.js'
export type { SummaryOptions } from './summary.js'
export * from './symbolic.js'
export * as torch from './torch/index.js'
