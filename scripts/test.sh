#!/usr/bin/env bash
# Installs, builds and passes the tests: lint, types, native and TypeScript tests, frozen references on both engines, newest LTS of Node.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

say "Lint: formatting, rules, import layers"
npm run --silent lint
say "Types"
npm run --silent types
say "Building the TypeScript sources"
npm run --silent build
say "Tests"
npm test --silent
say "Tests of the engine on the newest Node.js"
node scripts/test-newest-node.mjs
say "Native tests under address and undefined-behaviour sanitizers"
node scripts/test-sanitized.mjs
say "Kernels against naive loops, under the same sanitizers"
node scripts/test-kernels.mjs
say "Native code on two threads under the thread sanitizer"
node scripts/test-sanitized.mjs thread
