/** Everything that runs anywhere, without a backend: `node.ts` and `browser.ts` add theirs. */

// Gives models compile, fit, evaluate and predict.
import './train/index.js'

export * as nn from './nn/index.js'
export * as optim from './optim/index.js'
export {
  chromeTrace,
  type KernelSpan,
  type KernelTotal,
  liveBytes,
  type MachineLimits,
  type Profile,
  profileSvg,
  setBackend,
  startProfile,
  summarizeProfile,
} from './runtime/index.js'
export * as F from './tensor/functional/index.js'
export * from './tensor/index.js'
