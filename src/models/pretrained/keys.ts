/**
 * What stands between the names in a checkpoint file and those of a model: a data list of reversible verbs. Reading applies them in
 * order; saving applies the reversible ones backwards, so that files keep their published names.
 */

/** Tensors that are no weights (positions, masks, frequencies): left unread, never written. */
export interface DropRule {
  readonly drop: RegExp
}

/** Name in the file to name in the model. `legacy` names are only read. */
export interface RenameRule {
  readonly rename: RegExp
  readonly to: string
  /** The way back: a pattern over the model's names and its replacement. Absent for legacy names. */
  readonly back?: readonly [pattern: RegExp, to: string]
}

export type KeyRule = DropRule | RenameRule

/** Names that files of any model may have. Sources: the first BERT port (gamma, beta), torch's weight norm before parametrizations. */
const LEGACY: readonly KeyRule[] = [
  { rename: /(^|\.)LayerNorm\.gamma$/, to: '$1LayerNorm.weight' },
  { rename: /(^|\.)LayerNorm\.beta$/, to: '$1LayerNorm.bias' },
  { rename: /\.weight_g$/, to: '.parametrizations.weight.original0' },
  { rename: /\.weight_v$/, to: '.parametrizations.weight.original1' },
  { rename: /^module\./, to: '' },
  { rename: /^_orig_mod\./, to: '' },
  { drop: /(^|\.)(position_ids|token_type_ids)$/ },
  { drop: /(^|\.)rotary_emb(eddings)?\.inv_freq$/ },
]

const isDrop = (rule: KeyRule): rule is DropRule => 'drop' in rule

/** The model's name of a tensor of a file; null where it is to be left out. */
export function keyOfFile(name: string, rules: readonly KeyRule[]): string | null {
  let key = name
  for (const rule of [...rules, ...LEGACY]) {
    if (isDrop(rule)) {
      if (rule.drop.test(key)) return null
    } else key = key.replace(rule.rename, rule.to)
  }
  return key
}

/** The name under which a tensor of the model is saved. */
export function fileKeyOf(name: string, rules: readonly KeyRule[]): string {
  let key = name
  for (const rule of [...rules].reverse()) if (!isDrop(rule) && rule.back) key = key.replace(rule.back[0], rule.back[1])
  return key
}
