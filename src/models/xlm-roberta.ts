/** XLM-RoBERTa (Conneau et al. 2020): RoBERTa under other names. */

import { defineConfig } from './pretrained/config.js'
import { defineModels } from './pretrained/definition.js'
import type { Family } from './pretrained/model.js'
import {
  RobertaForCausalLM,
  RobertaForMaskedLM,
  RobertaForMultipleChoice,
  RobertaForQuestionAnswering,
  RobertaForSequenceClassification,
  RobertaForTokenClassification,
  RobertaModel,
  robertaDefaults,
} from './roberta.js'

const config = defineConfig({ model_type: 'xlm-roberta', defaults: { ...robertaDefaults, vocab_size: 30522 } })
const family: Family = { config, prefix: 'roberta', optional: /(^|\.)pooler\./ }

export class XLMRobertaModel extends RobertaModel {
  static override readonly family: Family = family
}
export class XLMRobertaForMaskedLM extends RobertaForMaskedLM {
  static override readonly family: Family = family
}
export class XLMRobertaForCausalLM extends RobertaForCausalLM {
  static override readonly family: Family = family
}
export class XLMRobertaForSequenceClassification extends RobertaForSequenceClassification {
  static override readonly family: Family = family
}
export class XLMRobertaForMultipleChoice extends RobertaForMultipleChoice {
  static override readonly family: Family = family
}
export class XLMRobertaForTokenClassification extends RobertaForTokenClassification {
  static override readonly family: Family = family
}
export class XLMRobertaForQuestionAnswering extends RobertaForQuestionAnswering {
  static override readonly family: Family = family
}

export default defineModels({
  config,
  classes: {
    XLMRobertaModel,
    XLMRobertaForMaskedLM,
    XLMRobertaForCausalLM,
    XLMRobertaForSequenceClassification,
    XLMRobertaForMultipleChoice,
    XLMRobertaForTokenClassification,
    XLMRobertaForQuestionAnswering,
  },
  auto: { preTraining: 'XLMRobertaForMaskedLM' },
})
