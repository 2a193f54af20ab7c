/** Functions in the manner of torch's `F`: pure, on tensors, with options objects. */
export * from './conv.js'
export * from './conv-transpose.js'
export * from './pool.js'
export * from './pool-adaptive.js'
export * from './spatial.js'
export * from './unfold.js'
