/** The entry `kaimo/recipes`: backends are registered, recipes can be trained. */
import './node.js'

export * from './recipes/index.node.js'
