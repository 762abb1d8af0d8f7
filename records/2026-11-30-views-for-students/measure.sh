#!/usr/bin/env bash
# Students of photos by views of a pool and by images as they are. usage: measure.sh PHOTOS OUT [SEEDS]
# PHOTOS is what records/2026-11-29-photos/measure.sh made. As they are: the recipe of the preset, without its name.
set -euo pipefail
cd "${TREE:-$(dirname "${BASH_SOURCE[0]}")/../..}"
mkdir -p "$2"
plain=(optimizer=adamw rate=0.001 weight_decay=0.05 warmup=0.05 precision=mixed batch_size=128)
for seed in ${3:-0 1}; do
    for kind in photo plain; do
        [ $kind = photo ] && how=(--set student.preset=photo) || how=("${plain[@]/#/--set=student.}")
        .venv/bin/python -m db3kd distill --run "$2/$kind-$seed" --from "$1/small" --held-out "$1/labelled" \
            --student lenet5 "${how[@]}" --set student.baselines=[] --seed "$seed" --json >"$2/$kind-$seed.json"
    done
done
