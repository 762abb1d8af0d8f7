#!/usr/bin/env bash
# The same measurements on the tree before the rebuild (commit 888104f) and after it, each by its own commands.
# usage: measure.sh TREE OUT demo|search|zero-shot SEED|repulsion
set -euo pipefail
tree=$(realpath "$1"); mkdir -p "$2"; out=$(realpath "$2"); what=$3
cd "$tree"
python=.venv/bin/python
teacher=torch:lenet5@records/2026-11-22-fashion-mnist/teacher.safetensors
if [ -d benchmarks ]; then new=yes; else new=; fi
case $what in
demo)
    $python -m db3kd demo --run "$out/demo" | tee "$out/demo.txt"
    cp "$out/demo/report.json" "$out/demo.json" ;;
search)
    export OMP_NUM_THREADS=1
    if [ $new ]; then command="$python -m benchmarks.search"; else command="$python -m db3kd bench search"; fi
    $command --teacher $teacher --images fashion-mnist --pairs 200 --json "$out/search.json" ;;
zero-shot)
    export OMP_NUM_THREADS=1
    if [ $new ]; then command="$python -m benchmarks.zero_shot"; else command="$python -m db3kd bench zero-shot"; fi
    $command --teacher $teacher --test fashion-mnist --calls 10000 --method active --students lenet5 --seed "$4" \
        --run "$out/zero-$4" --json "$out/zero-shot-seed$4.json" ;;
repulsion)
    export OMP_NUM_THREADS=1
    for search in "guided 50" "mbd 100"; do
        read -r name queries <<<"$search"
        if [ $new ]; then
            # The old tree's Sign-OPT took 40 directions and 3 exemplars here by default.
            [ "$name" = mbd ] && search='{name="mbd",directions=40,start={exemplars=3}}' || search='{name="guided"}'
            options="--pool repulsion --set pool.images_per_class=20 --set pool.images_per_round=500 --set pool.steps=2
                --set pool.keep=[1,2] --set pool.search=$search --set pool.queries_per_step=$queries"
        else
            options="--method repulsion --images-per-class 20 --images-per-round 500 --steps 2 --keep 1,2 --search $name
                --queries-per-step $queries"
        fi
        # shellcheck disable=SC2086
        $python -m db3kd synthesize --teacher $teacher $options --run "$out/repulsion-$name" --json >"$out/repulsion-$name.json"
    done ;;
esac
