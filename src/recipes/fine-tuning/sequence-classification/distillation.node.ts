import type { LoadOptions, ModelInputs, ModelOutput, PreTrainedModel } from '../../../models/index.js'
import { AutoModelForSequenceClassification } from '../../../models/index.node.js'
import { findSource, openTokenizer } from '../../../tasks/open.node.js'
import { labelsOf, TextModel } from '../../../tasks/text-model.js'
import { binaryCrossEntropyWithLogits, mseLoss } from '../../../tensor/functional/index.js'
import {
  asTensor,
  cast,
  constant,
  div,
  exp,
  logSoftmax,
  maximum,
  mean,
  mul,
  reshape,
  square,
  sub,
  sum,
  type Tensor,
} from '../../../tensor/index.js'
import { RecipeError } from '../../recipe-error.js'
import { FineTunedModel, type InputName, logitsOf, type ReadOutput } from '../model.js'
import type { Objective } from './objective.js'
import type { DistillationSpec, Problem } from './schema.js'

const number = (value: number): Tensor => constant(value, 'f32')

/** How far logits [B, L] are from the teacher's at a temperature. */
type SoftLoss = (logits: Tensor, teacher: Tensor, temperature: number) => Tensor

/** Kullback-Leibler divergence, times the squared temperature so that its share does not depend on it (Hinton et al. 2015). */
const divergence: SoftLoss = (logits, teacher, temperature) => {
  const [own, wanted] = [logits, teacher].map((row) => logSoftmax(div(row, number(temperature)), -1))
  return mul(mean(sum(mul(exp(wanted), sub(wanted, own)), -1)), number(temperature ** 2))
}

const SOFT_LOSSES: { readonly [P in Problem]: SoftLoss } = {
  single_label_classification: divergence,
  multi_label_classification: (logits, teacher, temperature) => {
    const [own, wanted] = [logits, teacher].map((row) => div(row, number(temperature)))
    return mul(binaryCrossEntropyWithLogits(own, wanted.sigmoid()), number(temperature ** 2))
  },
  regression: (values, teacher) => mseLoss(values, teacher),
}

type Pairs = readonly (readonly [own: number, teacher: number])[]

/** Every layer with one of the teacher's, spread evenly. */
const evenly = (own: number, teacher: number): Pairs =>
  Array.from({ length: own + 1 }, (_, i) => [i, Math.round((i * teacher) / own)] as const)

/** Mean squared difference of the states of tokens that count. */
function stateLoss(own: Tensor, teacher: Tensor, mask: Tensor): Tensor {
  const weights = reshape(cast(mask, own.dtype), [...mask.shape, 1])
  const total = sum(mul(square(sub(own, teacher)), weights))
  return div(total, maximum(mul(sum(weights), number(own.shape[2])), number(1)))
}

function statesOf({ hidden_states: states }: ModelOutput): readonly Tensor[] {
  if (!states) throw new TypeError('the model gives no states of its layers')
  return states
}

const LAYER_FIELDS = ['num_hidden_layers', 'n_layers', 'n_layer', 'num_layers'] as const

/** Config of a model that keeps only its first layers. @throws RecipeError where it has fewer, or does not say how many */
export function firstLayers(
  config: Readonly<Record<string, unknown>>,
  layers: number | undefined,
): LoadOptions['config'] {
  if (layers === undefined) return {}
  const field = LAYER_FIELDS.find((name) => typeof config[name] === 'number')
  if (field === undefined)
    throw new RecipeError('distillation.layers: the config of initialModel names no number of layers')
  if (layers > Number(config[field]))
    throw new RecipeError(`distillation.layers: initialModel has ${String(config[field])} layers, not ${layers}`)
  return { [field]: layers }
}

/** A model that another one learns from. */
export class Teacher {
  private constructor(
    private readonly model: PreTrainedModel,
    private readonly spec: DistillationSpec,
    /** The teacher's number of each class. */
    private readonly order: readonly number[] | null,
  ) {}

  /**
   * @param samples texts that both models must read as the same tokens
   * @throws RecipeError where the teacher is for other classes, reads other tokens, or has states of another width
   */
  static async open(
    spec: DistillationSpec,
    student: TextModel,
    { labels, samples, signal }: { labels: readonly string[] | null; samples: readonly string[]; signal?: AbortSignal },
  ): Promise<Teacher> {
    const found = await findSource(spec.teacher, { signal })
    if (found.own) throw new RecipeError(`distillation.teacher: ${found.name} is no published checkpoint`)
    const model = await AutoModelForSequenceClassification.fromPretrained(found.source, { dtype: 'f32', signal })
    const tokenizer = await openTokenizer(found, { signal })
    const ids = (text: TextModel, sample: string): string =>
      text.tokenizer.backend.encode(sample, null, { truncation: null, padding: null }).ids.join()
    const own = new TextModel(found.name, model, tokenizer)
    const differs = samples.find((sample) => ids(own, sample) !== ids(student, sample))
    if (differs !== undefined)
      throw new RecipeError(
        `distillation.teacher: ${found.name} reads '${differs}' as other tokens than ${student.name}`,
      )
    const known = labelsOf(model)
    const order = labels === null ? null : labels.map((label) => known.indexOf(label))
    if (order && (order.includes(-1) || known.length !== order.length))
      throw new RecipeError(
        `distillation.teacher: expected a model for the classes ${labels?.join(', ')}, ${found.name} is for ${known.join(', ')}`,
      )
    checkStates(spec, student.model, model)
    return new Teacher(model.eval(), spec, order)
  }

  /** A student as `fit` trains it: what the teacher says of it adds to the loss while it is trained. */
  student(model: PreTrainedModel, inputs: readonly InputName[], problem: Problem): FineTunedModel {
    const read: ReadOutput = (output, given, context) => {
      const logits = logitsOf(output, given, context)
      if (context.training) context.losses.push(...this.losses(problem, logits, output, given))
      return logits
    }
    return new FineTunedModel(model, inputs, read, { output_hidden_states: this.spec.hiddenStates !== undefined })
  }

  /** The objective, of which labels have their share while the student is trained. */
  objective({ loss, metrics }: Objective, student: PreTrainedModel): Objective {
    const share = 1 - this.spec.alpha
    return {
      metrics,
      loss: (targets, logits) => (student.training ? mul(loss(targets, logits), number(share)) : loss(targets, logits)),
    }
  }

  private losses(problem: Problem, logits: Tensor, output: ModelOutput, inputs: ModelInputs): Tensor[] {
    const { temperature, alpha, hiddenStates } = this.spec
    const said = this.model.forward({ ...inputs, output_hidden_states: hiddenStates !== undefined })
    if (!said.logits) throw new TypeError('the teacher gives no logits')
    const wanted = this.order ? said.logits.indexSelect(1, asTensor([...this.order], 'i32')) : said.logits
    const soft = mul(SOFT_LOSSES[problem](logits, wanted, temperature), number(alpha))
    if (!hiddenStates) return [soft]
    const [own, others] = [statesOf(output), statesOf(said)]
    const pairs = hiddenStates.layers ?? evenly(own.length - 1, others.length - 1)
    const mask = asTensor(inputs.attention_mask ?? 1)
    const states = pairs.map(([i, j]) =>
      mul(stateLoss(own[i], others[j], mask), number(hiddenStates.weight / pairs.length)),
    )
    return [soft, ...states]
  }
}

const sizesOf = ({ config }: PreTrainedModel): { readonly width: number; readonly layers: number } => {
  const fields = config as unknown as Readonly<Record<string, number | undefined>>
  const layers = LAYER_FIELDS.map((name) => fields[name]).find((value) => value !== undefined)
  return { width: fields.hidden_size ?? fields.dim ?? fields.d_model ?? 0, layers: layers ?? 0 }
}

/** @throws RecipeError where states cannot be compared */
function checkStates({ hiddenStates }: DistillationSpec, student: PreTrainedModel, teacher: PreTrainedModel): void {
  if (!hiddenStates) return
  const [own, other] = [sizesOf(student), sizesOf(teacher)]
  if (own.width !== other.width)
    throw new RecipeError(
      `distillation.hiddenStates: states of ${own.width} and ${other.width} numbers cannot be compared; leave it out`,
    )
  for (const [i, j] of hiddenStates.layers ?? [])
    if (i > own.layers || j > other.layers)
      throw new RecipeError(
        `distillation.hiddenStates.layers: there are ${own.layers} and ${other.layers} layers, no pair ${i}, ${j}`,
      )
}
