/** The entry `kaimo/tasks`: backends are registered, models are ready to use. */
import './node.js'

export * from './tasks/index.node.js'
