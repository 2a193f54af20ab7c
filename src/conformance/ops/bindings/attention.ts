import * as Fn from '../../../tensor/functional/index.js'
import { add, gelu, linear, relu, Tensor, unsqueeze } from '../../../tensor/index.js'
import { type Args, type BindingTable, bindings } from '../signature.js'
import { describe, type PyDict, type PyValue } from '../values.js'

const given = (dict: PyDict, name: string): PyValue => dict.get(name) ?? null

function optionOf(dict: PyDict, name: string, fallback: number): number {
  const value = given(dict, name)
  return typeof value === 'number' ? value : fallback
}

/** A parameter of a module, by its name there. */
function weightOf(weights: PyDict, name: string): Tensor | null {
  const value = given(weights, name)
  if (value === null) return null
  if (value instanceof Tensor) return value
  throw new TypeError(`weight '${name}' must be a tensor, got ${describe(value)}`)
}

function required(weights: PyDict, name: string): Tensor {
  const weight = weightOf(weights, name)
  if (!weight) throw new TypeError(`weight '${name}' is missing`)
  return weight
}

const projectionsOf = (weights: PyDict, prefix = ''): Omit<Fn.MultiHeadAttentionOptions, 'numHeads'> => ({
  inProjWeight: weightOf(weights, `${prefix}in_proj_weight`),
  qProjWeight: weightOf(weights, `${prefix}q_proj_weight`),
  kProjWeight: weightOf(weights, `${prefix}k_proj_weight`),
  vProjWeight: weightOf(weights, `${prefix}v_proj_weight`),
  inProjBias: weightOf(weights, `${prefix}in_proj_bias`),
  outProjWeight: required(weights, `${prefix}out_proj.weight`),
  outProjBias: weightOf(weights, `${prefix}out_proj.bias`),
})

const swap = (x: Tensor): Tensor => x.transpose(0, 1)

/** nn.MultiheadAttention(**a): the output and the weights averaged over the heads. */
function multiHead(a: Args): PyValue {
  const options = a.dict('a')
  const batchFirst = given(options, 'batch_first') === true || a.tensor('q').ndim === 2
  const [q, k, v] = ['q', 'k', 'v'].map((name) => (batchFirst ? a.tensor(name) : swap(a.tensor(name))))
  const { output, weights } = Fn.multiHeadAttention(q, k, v, {
    ...projectionsOf(a.others),
    numHeads: optionOf(options, 'num_heads', 1),
    keyPaddingMask: a.maybeTensor('key_padding_mask') ?? null,
    attnMask: a.maybeTensor('attn_mask') ?? null,
    needWeights: true,
  })
  return [batchFirst ? output : swap(output), weights]
}

/** nn.TransformerEncoderLayer(**a) without dropout. */
function encoderLayer(a: Args): Tensor {
  const [options, weights] = [a.dict('a'), a.others]
  const batchFirst = given(options, 'batch_first') === true || a.tensor('x').ndim === 2
  const activation = given(options, 'activation') === 'gelu' ? gelu : relu
  const eps = optionOf(options, 'layer_norm_eps', 1e-5)
  const norm = (x: Tensor, i: number): Tensor =>
    Fn.layerNorm(x, x.shape.slice(-1), {
      weight: required(weights, `norm${i}.weight`),
      bias: weightOf(weights, `norm${i}.bias`),
      eps,
    })
  const attend = (x: Tensor): Tensor =>
    Fn.multiHeadAttention(x, x, x, {
      ...projectionsOf(weights, 'self_attn.'),
      numHeads: optionOf(options, 'nhead', 1),
      attnMask: a.maybeTensor('mask') ?? null,
    }).output
  const dense = (x: Tensor, i: number): Tensor =>
    linear(x, required(weights, `linear${i}.weight`), weightOf(weights, `linear${i}.bias`))
  const feed = (x: Tensor): Tensor => dense(activation(dense(x, 1)), 2)
  const x = batchFirst ? a.tensor('x') : swap(a.tensor('x'))
  let y: Tensor
  if (given(options, 'norm_first') === true) {
    const attended = add(x, attend(norm(x, 1)))
    y = add(attended, feed(norm(attended, 2)))
  } else {
    const attended = norm(add(x, attend(x)), 1)
    y = norm(add(attended, feed(attended)), 2)
  }
  return batchFirst ? y : swap(y)
}

function rotary(a: Args, interleaved: boolean): Tensor {
  const x = a.tensor('x')
  const tables = Fn.rotaryTables(a.tensor('pos'), x.shape[x.ndim - 1], { theta: a.number('theta'), dtype: x.dtype })
  return Fn.applyRotary(x, { cos: unsqueeze(tables.cos, 1), sin: unsqueeze(tables.sin, 1) }, { interleaved })
}

const SDPA = '(query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None, enable_gqa=False)'

/** Attention and what belongs to it; `mha`, `encoder_layer` and `rope_*` are helpers of the references. */
export const ATTENTION: BindingTable = bindings({
  [`F.scaled_dot_product_attention${SDPA}`]: (a) =>
    Fn.scaledDotProductAttention(a.tensor('query'), a.tensor('key'), a.tensor('value'), {
      mask: a.maybeTensor('attn_mask') ?? null,
      causal: a.bool('is_causal'),
      scale: a.maybeNumber('scale') ?? null,
    }),
  'F.dropout(input, p=0.5, training=True)': (a) =>
    Fn.dropout(a.tensor('input'), { p: a.number('p'), training: a.bool('training') }),
  'mha(q, k, v, a, key_padding_mask=None, attn_mask=None, **W)': multiHead,
  'encoder_layer(x, a, mask=None, **W)': encoderLayer,
  'rope_half(x, pos, theta)': (a) => rotary(a, false),
  'rope_interleaved(x, pos, theta)': (a) => rotary(a, true),
})
