import * as Fn from '../../../tensor/functional/index.js'
import { Tensor } from '../../../tensor/index.js'
import { type Args, type BindingTable, bindings } from '../signature.js'
import { describe, type PyDict, type PyValue } from '../values.js'

function tensorOf(weights: PyDict, name: string): Tensor | null {
  const value = weights.get(name)
  if (value === undefined) return null
  if (value instanceof Tensor) return value
  throw new TypeError(`weight '${name}' must be a tensor, got ${describe(value)}`)
}

/** Weights by torch's names, one set a layer and direction. */
function weightSets(options: PyDict, weights: PyDict): Fn.LstmWeights[] {
  const layers = Number(options.get('num_layers') ?? 1)
  const ways = options.get('bidirectional') === true ? ['', '_reverse'] : ['']
  return Array.from({ length: layers }, (_, layer) => layer).flatMap((layer) =>
    ways.map((way) => {
      const named = (name: string): Tensor | null => tensorOf(weights, `${name}_l${layer}${way}`)
      const [weightIh, weightHh] = [named('weight_ih'), named('weight_hh')]
      if (!weightIh || !weightHh) throw new TypeError(`weights of layer ${layer}${way} are missing`)
      return { weightIh, weightHh, biasIh: named('bias_ih'), biasHh: named('bias_hh'), weightHr: named('weight_hr') }
    }),
  )
}

function stackOptions(a: Args, h0: Tensor | null): Fn.StackOptions & { nonlinearity: 'tanh' | 'relu' } {
  const options = a.dict('a')
  return {
    bidirectional: options.get('bidirectional') === true,
    batchFirst: options.get('batch_first') === true,
    nonlinearity: options.get('nonlinearity') === 'relu' ? 'relu' : 'tanh',
    h0,
  }
}

function lstm(a: Args): PyValue {
  const options = { ...stackOptions(a, a.maybeTensor('h0') ?? null), c0: a.maybeTensor('c0') ?? null }
  const { output, h, c } = Fn.lstm(a.tensor('x'), weightSets(a.dict('a'), a.others), options)
  return [output, h, c]
}

function packedLstm(a: Args): PyValue {
  const options = { ...stackOptions(a, null), lengths: a.tensor('lengths') }
  const { output, h, c } = Fn.lstm(a.tensor('x'), weightSets(a.dict('a'), a.others), options)
  return [output, h, c]
}

const plain =
  (run: (x: Tensor, weights: Fn.RecurrentWeights[], options: ReturnType<typeof stackOptions>) => Fn.RecurrentResult) =>
  (a: Args): PyValue => {
    const { output, h } = run(
      a.tensor('x'),
      weightSets(a.dict('a'), a.others),
      stackOptions(a, a.maybeTensor('h0') ?? null),
    )
    return [output, h]
  }

/** Recurrent modules as helpers of the references call them: `a` holds the module's arguments, keywords its weights. */
export const RECURRENT: BindingTable = bindings({
  'lstm(x, h0, c0, a, **W)': lstm,
  'packed_lstm(x, lengths, a, **W)': packedLstm,
  'gru(x, h0, a, **W)': plain(Fn.gru),
  'rnn(x, h0, a, **W)': plain(Fn.rnn),
})
