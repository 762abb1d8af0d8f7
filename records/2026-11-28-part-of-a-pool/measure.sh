#!/usr/bin/env bash
# Accuracy against questions. usage: measure.sh mnist|fashion|forest|emoji OUT [QUESTIONS] [SEEDS] [METHODS]
set -euo pipefail
cd "${TREE:-$(dirname "${BASH_SOURCE[0]}")/../..}"
mkdir -p "$2"
python=.venv/bin/python student=lenet5-half
case $1 in
mnist)
    [ -e "$2/teacher/model.safetensors" ] || $python -m db3kd train --data mnist-5k --architecture lenet5 \
        --set train.rate=0.001 --set train.epochs=20 --set train.batch_size=128 --run "$2/teacher"
    teacher=torch:lenet5@$2/teacher/model.safetensors images=mnist-5k ;;
fashion)
    teacher=torch:lenet5@records/2026-11-22-fashion-mnist/teacher.safetensors images=fashion-mnist ;;
forest)
    $python -m benchmarks.forest --out "$2/digits8.npz"
    teacher=python:benchmarks.forest:FOREST images=npz:$2/digits8.npz student=benchmarks.forest:small ;;
emoji)
    [ -e "$2/emoji.npz" ] || $python -m benchmarks.emoji --out "$2/emoji.npz"
    [ -e "$2/teacher/model.safetensors" ] || $python -m db3kd train --data "npz:$2/emoji.npz" --architecture residual \
        --set train.epochs=30 --set train.batch_size=64 --set train.rate=0.002 --set train.schedule=one-cycle \
        --set train.precision=bfloat16 --run "$2/teacher"
    teacher=torch:residual@$2/teacher/model.safetensors images=npz:$2/emoji.npz student=residual-half ;;
esac
$python -m benchmarks.frontier --teacher "$teacher" --images "$images" --questions "${3:-300}" --seeds "${4:-0,1,2}" \
    --methods "${5:-default,random,disagreement,random-supervised}" --students "$student" --run "$2/runs" --json "$2/$1.json"
