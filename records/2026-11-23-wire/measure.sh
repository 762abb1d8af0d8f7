#!/bin/sh
# Measures the wire, in about ten minutes of an idle machine: sh records/2026-11-23-wire/measure.sh FOLDER
# From the repository's root, with db3kd's extras in the Python that is called so. FOLDER gets the figures.
set -eu
out=$1
mkdir -p "$out"
# One thread each: client and server have a core of their own where there are two.
export OMP_NUM_THREADS=1 PYTHONPATH=src:tests
teacher="torch:lenet5@$out/teacher/model.safetensors"
python -m db3kd train --data mnist-5k --architecture lenet5 --epochs 10 --run "$out/teacher"
python -m db3kd export --weights "$out/teacher/model.safetensors" --to "$out/lenet5"

# Asking, at 1, 64, 256 and 1,024 rows a request, two requests at once: db3kd serve with torch, with onnxruntime, and MLServer.
python -m db3kd bench wire --teacher "$teacher" --json "$out/serve-torch.json"
python -m db3kd bench wire --teacher "onnx:$out/lenet5/student.onnx" --json "$out/serve-onnx.json"
python tests/ml_server.py "$out/lenet5/student.onnx" 1,28,28 10 "$out/mlserver-onnx.json"

# Searching, the same labelling in the process and through db3kd serve, with 256 rows a request.
python -m db3kd serve --teacher "$teacher" --port 8123 &
server=$!
trap 'kill $server' EXIT
until python -c 'import socket; socket.create_connection(("127.0.0.1", 8123))' 2>/dev/null; do sleep 0.2; done
label="python -m db3kd label --images mnist-5k --limit 1000 --method bd"
$label --teacher "$teacher" --max-batch 256 --run "$out/here"
$label --teacher "http://127.0.0.1:8123/v2/models/teacher?max_batch=256&in_flight=2" --run "$out/there"
python -m db3kd status "$out/here" --json > "$out/searching-here.json"
python -m db3kd status "$out/there" --json > "$out/searching-there.json"
python - "$out" << 'PYTHON'
import json, pathlib, sys
rates = {}
for place in ("here", "there"):
    found = json.loads(pathlib.Path(sys.argv[1], f"searching-{place}.json").read_text())
    rates[place] = found["queries"]["total"] / found["seconds"]
    print(f"searching {place}: {found['queries']['total']:,} rows, {rates[place]:,.0f} rows/s")
print(f"of that over the wire: {rates['there'] / rates['here']:.0%}")
PYTHON
