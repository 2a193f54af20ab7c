import { sizeOf } from '../../ir/index.js'
import { BertForSequenceClassification, BertModel } from '../../models/bert.js'
import { GPT2LMHeadModel } from '../../models/gpt2.js'
import type { ModelInputs, ModelOutput, PreTrainedModel } from '../../models/index.js'
import { torch as nn } from '../../nn/index.js'
import { type Optimizer, torch } from '../../optim/index.js'
import { scaledDotProductAttention } from '../../tensor/functional/index.js'
import { jit, onesLike, type Tensor, valueAndGrad } from '../../tensor/index.js'
import { type BenchCases, type Check, type Prepared, RING } from './case.js'
import { labels, randn } from './data.js'

/** The config of bert-base-chinese. */
const BERT = { vocab_size: 21128 }

/** Small enough for the interpreter: the same code is checked on it, since a whole base model would take it minutes. */
const TWIN = { hidden_size: 64, num_hidden_layers: 2, num_attention_heads: 4, intermediate_size: 96, vocab_size: 200 }
const GPT2_TWIN = { n_embd: 64, n_layer: 2, n_head: 4, vocab_size: 200, n_positions: 64 }

const DROPOUT_FREE = { hidden_dropout_prob: 0, attention_probs_dropout_prob: 0, classifier_dropout: 0 }
const GPT2_DROPOUT_FREE = { resid_pdrop: 0, embd_pdrop: 0, attn_pdrop: 0 }

const countOf = (model: PreTrainedModel): number =>
  model.parameters().reduce((total, { shape }) => total + sizeOf(shape), 0)

const logitsOf = (output: ModelOutput): Tensor => output.last_hidden_state ?? output.logits ?? (output.loss as Tensor)

/** Ids, and a mask of ones, as the peer has them. */
const textInputs = (batch: number, length: number, vocabulary: number, slot: number): ModelInputs => {
  const ids = labels(batch * length, vocabulary, slot + 1).reshape([batch, length])
  return { input_ids: ids, attention_mask: onesLike(ids) }
}

/** The twin's results natively, against the interpreter's. */
const twinCheck = (forward: () => Tensor, tolerance: number): Check => ({
  part: () => [forward()],
  reference: () => [forward()],
  tolerance,
})

/** The linear layers of a model in 8 bits, as `fromPretrained` with `dtype: 'int8'` makes them. */
function quantized<M extends PreTrainedModel>(model: M): M {
  for (const [, module] of model.namedModules()) if (module instanceof nn.Linear) module.quantize()
  return model
}

function encoding(batch: number, length: number, int8 = false): Prepared {
  const build = (config: object): BertModel => {
    const model = BertModel.fromConfig(config)
    return int8 ? quantized(model) : model
  }
  const model = build(BERT)
  const ring = Array.from({ length: RING }, (_, slot) => textInputs(batch, length, BERT.vocab_size, slot))
  const step = jit((inputs: ModelInputs) => logitsOf(model.forward(inputs)), { name: 'bert' })
  const twin = build(TWIN)
  return {
    work: { items: batch, params: countOf(model) },
    ring: RING,
    step: (slot) => [step(ring[slot])],
    // In 8 bits a difference in the last place of a float may move an activation by a whole step.
    check: twinCheck(() => logitsOf(twin.forward(textInputs(2, 16, TWIN.vocab_size, 0))), int8 ? 2e-2 : 1e-5),
  }
}

interface Training {
  readonly model: PreTrainedModel
  readonly twin: PreTrainedModel
  readonly learningRate: number
  readonly inputs: (slot: number) => ModelInputs
  readonly twinInputs: ModelInputs
  readonly items: number
}

function stepOf(model: PreTrainedModel, optimizer: Pick<Optimizer, 'step'>): (inputs: ModelInputs) => Tensor {
  const parameters = model.trainableParameters()
  return jit(
    (inputs: ModelInputs) => {
      const { value, grads } = valueAndGrad(() => model.forward(inputs).loss as Tensor, parameters)()
      optimizer.step(grads)
      return value
    },
    { name: 'train' },
  )
}

function training({ model, twin, learningRate, inputs, twinInputs, items }: Training): Prepared {
  model.train()
  const step = stepOf(model, torch.adamw(model.trainableParameters(), { lr: learningRate }))
  const ring = Array.from({ length: RING }, (_, slot) => inputs(slot))
  const gradient = (): Tensor => {
    const [first] = twin.trainableParameters()
    return valueAndGrad(() => twin.forward(twinInputs).loss as Tensor, [first])().grads[0]
  }
  return {
    work: { items, params: countOf(model) },
    ring: RING,
    step: (slot) => [step(ring[slot])],
    check: twinCheck(gradient, 1e-4),
  }
}

const withLabels = (inputs: ModelInputs, targets: Tensor): ModelInputs => ({ ...inputs, labels: targets })

const bertTraining = (): Prepared =>
  training({
    model: BertForSequenceClassification.fromConfig(BERT),
    twin: BertForSequenceClassification.fromConfig({ ...TWIN, ...DROPOUT_FREE }),
    learningRate: 2e-5,
    inputs: (slot) => withLabels(textInputs(8, 128, BERT.vocab_size, slot), labels(8, 2, slot)),
    twinInputs: withLabels(textInputs(2, 16, TWIN.vocab_size, 0), labels(2, 2, 0)),
    items: 8,
  })

function gpt2Training(): Prepared {
  const causal = (batch: number, length: number, vocabulary: number, slot: number): ModelInputs => {
    const { input_ids } = textInputs(batch, length, vocabulary, slot)
    return { input_ids, labels: input_ids }
  }
  return training({
    model: GPT2LMHeadModel.fromConfig(),
    twin: GPT2LMHeadModel.fromConfig({ ...GPT2_TWIN, ...GPT2_DROPOUT_FREE }),
    learningRate: 1e-4,
    inputs: (slot) => causal(4, 256, 50257, slot),
    twinInputs: causal(2, 16, GPT2_TWIN.vocab_size, 0),
    items: 4 * 256,
  })
}

/** Attention of 12 heads of 64 over `length` tokens; with gradients, forward and all three of them. */
function attention(length: number, train: boolean): Prepared {
  const operands = (slot: number, tokens: number): Tensor[] =>
    [0, 1, 2, 3].map((i) => randn([1, 12, tokens, 64], 4 * slot + i))
  const run = (q: Tensor, k: Tensor, v: Tensor, cotangent: Tensor): Tensor[] => {
    if (!train) return [scaledDotProductAttention(q, k, v)]
    const product = ([a, b, c]: Tensor[]): Tensor => scaledDotProductAttention(a, b, c).mul(cotangent).sum()
    return valueAndGrad(product)([q, k, v]).grads
  }
  const step = jit(run, { name: 'sdpa' })
  const ring = Array.from({ length: RING }, (_, slot) => operands(slot, length))
  const [q, k, v, g] = operands(0, 32)
  return {
    work: { flops: 4 * 12 * length * length * 64 * (train ? 3.5 : 1), inner: length === 128 ? 20 : 2 },
    ring: RING,
    step: (slot) => step(...(ring[slot] as [Tensor, Tensor, Tensor, Tensor])),
    check: { part: () => run(q, k, v, g), reference: () => run(q, k, v, g), tolerance: 1e-5 },
  }
}

export const TRANSFORMER_CASES: BenchCases = {
  ...Object.fromEntries(
    [1, 8].flatMap((batch) => [16, 128].map((length) => [`bert_b${batch}_s${length}`, () => encoding(batch, length)])),
  ),
  ...Object.fromEntries([1, 8].map((batch) => [`bert_b${batch}_s128_int8`, () => encoding(batch, 128, true)])),
  bert_train_b8_s128: bertTraining,
  gpt2_train_b4_s256: gpt2Training,
  ...Object.fromEntries(
    [128, 1024].flatMap((length) => [
      [`sdpa_h12_s${length}_d64`, () => attention(length, false)],
      [`sdpa_h12_s${length}_d64_train`, () => attention(length, true)],
    ]),
  ),
}
