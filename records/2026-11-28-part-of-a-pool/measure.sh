#!/usr/bin/env bash
# Accuracy against questions. usage: measure.sh mnist|fashion OUT [QUESTIONS] [SEEDS] [METHODS]
set -euo pipefail
cd "${TREE:-$(dirname "${BASH_SOURCE[0]}")/../..}"
mkdir -p "$2"
python=.venv/bin/python
case $1 in
mnist)
    [ -e "$2/teacher/model.safetensors" ] || $python -m db3kd train --data mnist-5k --architecture lenet5 \
        --set train.rate=0.001 --set train.epochs=20 --set train.batch_size=128 --run "$2/teacher"
    teacher=torch:lenet5@$2/teacher/model.safetensors images=mnist-5k ;;
fashion)
    teacher=torch:lenet5@records/2026-11-22-fashion-mnist/teacher.safetensors images=fashion-mnist ;;
esac
$python -m benchmarks.frontier --teacher "$teacher" --images $images --questions "${3:-300}" --seeds "${4:-0,1,2}" \
    --methods "${5:-default,random,disagreement,random-supervised}" --students lenet5-half --run "$2/runs" --json "$2/$1.json"
