/** Chat templates. */
export * from './chat-template.js'
export * from './jinja/index.js'
