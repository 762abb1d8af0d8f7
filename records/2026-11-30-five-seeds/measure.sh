#!/usr/bin/env bash
# Digits with five seeds: the default, answers alone, and two public attacks. usage: measure.sh OUT
set -euo pipefail
measure() {
    "$(dirname "${BASH_SOURCE[0]}")/../2026-11-28-part-of-a-pool/measure.sh" mnist "$1" "$2" 0,1,2,3,4 "$3"
    mv "$1/mnist.json" "$1/mnist-$4.json"
}
measure "$1" 300 random-supervised,default 300
for questions in 50 100 1000; do
    measure "$1" "$questions" random-supervised "$questions"
done
measure "$1" 300 copycat-cnn,knockoff-nets rivals
