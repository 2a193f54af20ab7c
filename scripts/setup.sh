#!/usr/bin/env bash
# Installs what Kaimo needs and builds it. Sourced by demo.sh and test.sh, which say what they are for.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '\n== %s\n' "$*"; }

need_node() {
  command -v node >/dev/null 2>&1 || { echo "Node.js 20.19 or newer is needed: https://nodejs.org" >&2; exit 1; }
  node -e 'const [a, b] = process.versions.node.split(".").map(Number); if (a < 20 || (a === 20 && b < 19)) { console.error(`Node.js 20.19 or newer is needed, this is ${process.versions.node}`); process.exit(1) }'
}

# A C++ compiler makes the native engine; without one the TypeScript engine takes over.
need_compiler() {
  command -v "${CXX:-g++}" >/dev/null 2>&1 && return 0
  command -v clang++ >/dev/null 2>&1 && return 0
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    say "Installing g++ with apt-get"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq g++ >/dev/null
  else
    echo "No C++ compiler was found: Kaimo will run on its slower TypeScript engine. Install g++ or clang++ for the native one." >&2
  fi
}

need_node
need_compiler
say "Installing npm packages"
npm install --no-audit --no-fund --loglevel=error
say "Building the native engine (one to two minutes on two cores; nothing to do when it is up to date)"
npm run --silent build:native
