/** Expressions of the Python subset in which the references state their calls. */
export type Expr =
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'constant'; readonly value: boolean | null }
  | { readonly kind: 'ellipsis' }
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'attribute'; readonly object: Expr; readonly name: string }
  | { readonly kind: 'call'; readonly callee: Expr; readonly args: readonly Argument[] }
  | { readonly kind: 'subscript'; readonly object: Expr; readonly index: Expr }
  | { readonly kind: 'slice'; readonly lower: Expr | null; readonly upper: Expr | null; readonly step: Expr | null }
  | { readonly kind: 'tuple'; readonly items: readonly Expr[] }
  | { readonly kind: 'list'; readonly items: readonly Expr[] }
  | { readonly kind: 'dict'; readonly entries: readonly (readonly [key: Expr, value: Expr])[] }
  | { readonly kind: 'starred'; readonly value: Expr }
  | { readonly kind: 'unary'; readonly op: UnaryOp; readonly operand: Expr }
  | { readonly kind: 'binary'; readonly op: BinaryOp; readonly left: Expr; readonly right: Expr }
  | { readonly kind: 'compare'; readonly op: CompareOp; readonly left: Expr; readonly right: Expr }
  | { readonly kind: 'boolean'; readonly op: 'and' | 'or'; readonly left: Expr; readonly right: Expr }
  | { readonly kind: 'not'; readonly operand: Expr }
  | ({ readonly kind: 'comprehension'; readonly key: Expr | null; readonly value: Expr } & Loop)

export interface Loop {
  readonly target: string
  readonly iterable: Expr
}

export type UnaryOp = '-' | '+' | '~'
export type BinaryOp = '+' | '-' | '*' | '/' | '//' | '%' | '**' | '@' | '<<' | '>>' | '&' | '|' | '^'
export type CompareOp = '<' | '>' | '<=' | '>=' | '==' | '!='

export type Argument =
  | { readonly kind: 'positional'; readonly value: Expr }
  | { readonly kind: 'keyword'; readonly name: string; readonly value: Expr }
  /** `*value` */
  | { readonly kind: 'unpack'; readonly value: Expr }
  /** `**value` */
  | { readonly kind: 'unpackKeywords'; readonly value: Expr }

/** Text that is not in the subset. The message shows where. */
export class PythonSyntaxError extends Error {
  override name = 'PythonSyntaxError'
}
