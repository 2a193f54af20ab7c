/** Jinja templates: what chat templates are written in. */
export * from './errors.js'
export { type Rendered, type RenderOptions, Template } from './template.js'
