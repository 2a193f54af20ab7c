import type { Layer, LayerOptions } from './layer.js'
import { LAYER_TYPES, type LayerTypes } from './layer-types.js'
import * as layers from './layers/index.js'
import { Sequential } from './sequential.js'
import type { SymbolicTensor } from './symbolic.js'

type Made<K extends keyof LayerTypes> = InstanceType<LayerTypes[K]['layer']>
type Factory<K extends keyof LayerTypes> = (...args: ConstructorParameters<LayerTypes[K]['layer']>) => Made<K>
type AnyClass = new (...args: unknown[]) => Layer

const factory =
  <K extends keyof LayerTypes>(name: K): Factory<K> =>
  (...args) =>
    new (LAYER_TYPES[name].layer as AnyClass)(...args) as Made<K>

// One function for each layer class: `nn.dense(8)` is `new nn.Dense(8)`.

export const activation = factory('Activation')
export const activityRegularization = factory('ActivityRegularization')
export const add = factory('Add')
export const alphaDropout = factory('AlphaDropout')
export const average = factory('Average')
export const averagePooling1D = factory('AveragePooling1D')
export const averagePooling2D = factory('AveragePooling2D')
export const averagePooling3D = factory('AveragePooling3D')
export const batchNormalization = factory('BatchNormalization')
export const bidirectional = factory('Bidirectional')
export const concatenate = factory('Concatenate')
export const conv1D = factory('Conv1D')
export const conv1DTranspose = factory('Conv1DTranspose')
export const conv2D = factory('Conv2D')
export const conv2DTranspose = factory('Conv2DTranspose')
export const conv3D = factory('Conv3D')
export const conv3DTranspose = factory('Conv3DTranspose')
export const cropping1D = factory('Cropping1D')
export const cropping2D = factory('Cropping2D')
export const cropping3D = factory('Cropping3D')
export const dense = factory('Dense')
export const depthwiseConv1D = factory('DepthwiseConv1D')
export const depthwiseConv2D = factory('DepthwiseConv2D')
export const dot = factory('Dot')
export const dropout = factory('Dropout')
export const elu = factory('ELU')
export const einsumDense = factory('EinsumDense')
export const embedding = factory('Embedding')
export const flatten = factory('Flatten')
export const gru = factory('GRU')
export const gaussianDropout = factory('GaussianDropout')
export const gaussianNoise = factory('GaussianNoise')
export const globalAveragePooling1D = factory('GlobalAveragePooling1D')
export const globalAveragePooling2D = factory('GlobalAveragePooling2D')
export const globalAveragePooling3D = factory('GlobalAveragePooling3D')
export const globalMaxPooling1D = factory('GlobalMaxPooling1D')
export const globalMaxPooling2D = factory('GlobalMaxPooling2D')
export const globalMaxPooling3D = factory('GlobalMaxPooling3D')
export const groupNormalization = factory('GroupNormalization')
export const identity = factory('Identity')
export const lstm = factory('LSTM')
export const layerNormalization = factory('LayerNormalization')
export const leakyRelu = factory('LeakyReLU')
export const masking = factory('Masking')
export const maxPooling1D = factory('MaxPooling1D')
export const maxPooling2D = factory('MaxPooling2D')
export const maxPooling3D = factory('MaxPooling3D')
export const maximum = factory('Maximum')
export const minimum = factory('Minimum')
export const multiHeadAttention = factory('MultiHeadAttention')
export const multiply = factory('Multiply')
export const normalization = factory('Normalization')
export const prelu = factory('PReLU')
export const permute = factory('Permute')
export const rmsNormalization = factory('RMSNormalization')
export const randomBrightness = factory('RandomBrightness')
export const randomContrast = factory('RandomContrast')
export const randomCrop = factory('RandomCrop')
export const randomFlip = factory('RandomFlip')
export const randomRotation = factory('RandomRotation')
export const randomTranslation = factory('RandomTranslation')
export const randomZoom = factory('RandomZoom')
export const relu = factory('ReLU')
export const repeatVector = factory('RepeatVector')
export const rescaling = factory('Rescaling')
export const reshape = factory('Reshape')
export const resizing = factory('Resizing')
export const separableConv1D = factory('SeparableConv1D')
export const separableConv2D = factory('SeparableConv2D')
export const simpleRnn = factory('SimpleRNN')
export const softmax = factory('Softmax')
export const spatialDropout1D = factory('SpatialDropout1D')
export const spatialDropout2D = factory('SpatialDropout2D')
export const spatialDropout3D = factory('SpatialDropout3D')
export const subtract = factory('Subtract')
export const timeDistributed = factory('TimeDistributed')
export const unitNormalization = factory('UnitNormalization')
export const upSampling1D = factory('UpSampling1D')
export const upSampling2D = factory('UpSampling2D')
export const upSampling3D = factory('UpSampling3D')
export const zeroPadding1D = factory('ZeroPadding1D')
export const zeroPadding2D = factory('ZeroPadding2D')
export const zeroPadding3D = factory('ZeroPadding3D')

/** A function as a layer (see {@link layers.Lambda}). */
export const lambda = (...args: ConstructorParameters<typeof layers.Lambda>): layers.Lambda =>
  new layers.Lambda(...args)

/** Layers one after another (see {@link Sequential}). */
export const sequential = (list: readonly (Layer | SymbolicTensor)[] = [], options: LayerOptions = {}): Sequential =>
  new Sequential(list, options)
