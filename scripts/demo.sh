#!/usr/bin/env bash
# Installs, builds, classifies Chinese sentences with the model that comes with Kaimo, and fine-tunes that model on a small file.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

say "Building the TypeScript sources"
npm run --silent build

kaimo() { node bin/kaimo.mjs "$@"; }

say "Classifying Chinese sentences: kaimo run text-classification ..."
kaimo run text-classification '今天天气真好' '房间很干净，服务员也很热情' '隔音太差了，一晚上没睡好' '早餐一般，不会再来了'
kaimo run text-classification '今天天气真好' --json

say "Fine-tuning it on examples/data/reviews-zh.tsv: kaimo train recipes/finetune-reviews-zh.json"
kaimo train recipes/finetune-reviews-zh.json --output runs/finetune-reviews-zh

say "Classifying with the fine-tuned model: kaimo run text-classification --model runs/finetune-reviews-zh ..."
kaimo run text-classification --model runs/finetune-reviews-zh '今天天气真好' '隔音太差了，一晚上没睡好'
