// The house rule: imports go one way. Each layer lists the layers it may import; anything else is an error.
const MAY_IMPORT = {
  ir: [],
  autodiff: ['ir'],
  passes: ['ir'],
  interpret: ['ir'],
  runtime: ['ir', 'passes'],
  tensor: ['ir', 'autodiff', 'runtime'],
  backends: ['ir', 'passes', 'runtime', 'interpret'],
  nn: ['tensor', 'runtime'],
  optim: ['tensor', 'runtime'],
  formats: ['ir'],
  data: ['tensor', 'formats', 'ir'],
  text: ['tensor', 'formats', 'hub', 'data', 'ir'],
  train: ['nn', 'optim', 'formats', 'data', 'tensor', 'runtime', 'text', 'ir'],
  hub: ['formats', 'ir'],
  vision: ['tensor', 'formats', 'data', 'ir'],
  audio: ['tensor', 'formats', 'data', 'ir'],
  models: ['nn', 'tensor', 'text', 'formats', 'hub', 'runtime', 'ir'],
  generate: ['models', 'nn', 'tensor', 'runtime', 'ir'],
  recipes: ['generate', 'models', 'nn', 'optim', 'formats', 'hub', 'data', 'tensor', 'runtime', 'text', 'vision', 'audio', 'train', 'tasks', 'ir'],
  tasks: ['generate', 'models', 'nn', 'optim', 'formats', 'hub', 'data', 'tensor', 'runtime', 'text', 'vision', 'audio', 'train', 'ir'],
  conformance: [
    ...['ir', 'interpret', 'runtime', 'tensor', 'autodiff', 'nn', 'optim', 'formats', 'hub', 'data'],
    ...['train', 'text', 'vision', 'audio', 'models', 'generate', 'tasks'],
  ],
}
const PORTABLE = ['ir', 'autodiff', 'passes', 'interpret', 'runtime', 'tensor', 'nn', 'optim']

module.exports = {
  forbidden: [
    ...Object.entries(MAY_IMPORT).map(([layer, allowed]) => ({
      name: `${layer}-imports`,
      severity: 'error',
      comment: `${layer} may import ${allowed.join(', ') || 'nothing'}`,
      from: { path: `^src/${layer}/` },
      to: { path: '^src/', pathNot: `^src/(${[layer, ...allowed].join('|')})/` },
    })),
    {
      name: 'portable-layers',
      severity: 'error',
      comment: 'these layers must run in a browser',
      from: { path: `^src/(${PORTABLE.join('|')})/` },
      to: { dependencyTypes: ['core'] },
    },
    { name: 'no-cycles-between-files', severity: 'error', from: {}, to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { extensions: ['.ts', '.js'] },
  },
}
