/** Models, with those parts that read and write files. */
export * from './auto.node.js'
export * from './index.js'
