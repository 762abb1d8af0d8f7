#!/usr/bin/env bash
# A photo-like job from end to end. usage: measure.sh OUT  (EMOJI names a file of benchmarks.emoji; it is made if left out)
# TIMM is a Python that has timm and torchvision of one build beside db3kd; without it, that student is left out.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "${TREE:-$here/../..}"
python=.venv/bin/python out=$1
emoji=${EMOJI:-$out/emoji.npz}
mkdir -p "$out"
[ -e "$emoji" ] || $python -m benchmarks.emoji --out "$emoji"
[ -e "$out/teacher/config.json" ] || $python "$here/photos.py" "$emoji" "$out"
teacher=hf:$out/teacher
$python -m db3kd distill --teacher "$teacher" --images "$out/photos" --held-out "$out/labelled" --budget 154 \
    --student lenet5-half --run "$out/small"
$python -m db3kd export "$out/small" --held-out "$out/labelled" --int8 --json >"$out/small.json"
[ -n "${TIMM:-}" ] || exit 0
$TIMM -m db3kd distill --run "$out/timm" --from "$out/small" --held-out "$out/labelled" \
    --student timm:mobilenetv3_small_050 --set student.preset=photo --set student.baselines=[]
$TIMM -m db3kd export "$out/timm" --held-out "$out/labelled" --int8 --json >"$out/timm.json"
