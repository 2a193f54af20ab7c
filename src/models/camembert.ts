/** CamemBERT (Martin et al. 2020): RoBERTa of French, under other names. */

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

const config = defineConfig({ model_type: 'camembert', defaults: { ...robertaDefaults, vocab_size: 30522 } })
const family: Family = { config, prefix: 'roberta', optional: /(^|\.)pooler\./ }

export class CamembertModel extends RobertaModel {
  static override readonly family: Family = family
}
export class CamembertForMaskedLM extends RobertaForMaskedLM {
  static override readonly family: Family = family
}
export class CamembertForCausalLM extends RobertaForCausalLM {
  static override readonly family: Family = family
}
export class CamembertForSequenceClassification extends RobertaForSequenceClassification {
  static override readonly family: Family = family
}
export class CamembertForMultipleChoice extends RobertaForMultipleChoice {
  static override readonly family: Family = family
}
export class CamembertForTokenClassification extends RobertaForTokenClassification {
  static override readonly family: Family = family
}
export class CamembertForQuestionAnswering extends RobertaForQuestionAnswering {
  static override readonly family: Family = family
}

export default defineModels({
  config,
  classes: {
    CamembertModel,
    CamembertForMaskedLM,
    CamembertForCausalLM,
    CamembertForSequenceClassification,
    CamembertForMultipleChoice,
    CamembertForTokenClassification,
    CamembertForQuestionAnswering,
  },
  auto: { preTraining: 'CamembertForMaskedLM' },
})
