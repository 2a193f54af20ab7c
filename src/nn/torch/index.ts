/** Modules with torch.nn's names, defaults and parameter layouts, for models written as classes with a `forward`. */

export * from './conv.js'
export * from './linear.js'
export * from './norm.js'
export * from './parametrizations.js'
export * from './rnn.js'
