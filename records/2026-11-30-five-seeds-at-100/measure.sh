#!/usr/bin/env bash
# Digits with 100 questions, five seeds, and 300 random ones. usage: measure.sh TEACHER OUT, with a file of weights of a LeNet5
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
measure() {
    .venv/bin/python -m benchmarks.frontier --teacher "torch:lenet5@$1" --images mnist-5k --questions "$4" --methods "$3" \
        --students lenet5-half --seeds "$5" --run "$2/runs-$3" --json "$2/$6.json"
}
measure "$1" "$2" default 100 0,1,2,3,4 mnist-100
measure "$1" "$2" random 300 0,1,2 random-300
