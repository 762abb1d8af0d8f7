#!/usr/bin/env bash
# A random forest is copied without an image. usage: measure.sh OUT [CALLS] [SEEDS]
set -euo pipefail
cd "${TREE:-$(dirname "${BASH_SOURCE[0]}")/../..}"
python=.venv/bin/python
mkdir -p "$1"
$python -m benchmarks.forest --out "$1/digits8.npz"
for seed in ${3:-0 1 2}; do
    for families in procedural all; do
        $python -m benchmarks.zero_shot --teacher python:benchmarks.forest:FOREST --test "npz:$1/digits8.npz" \
            --calls "${2:-5000}" --families "$families" --students benchmarks.forest:small --seed "$seed" \
            --run "$1/$families-$seed" --json "$1/$families-${2:-5000}-seed$seed.json"
    done
done
