export type { Cotangent, VjpRule } from './rule.js'
export { type CompositeVjpRule, registerCompositeVjp } from './rules/control.js'
export { vjp, vjpSteps } from './vjp.js'
