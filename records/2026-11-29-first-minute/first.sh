#!/usr/bin/env bash
# The first minute: a fresh clone, and what README shows. usage: first.sh REPOSITORY FOLDER
unset PYTHONPATH OMP_NUM_THREADS
t0=$SECONDS
step() { echo "== $1 ($((SECONDS-t0)) s since the start)"; }
git clone -q "$1" "$2"; cd "$2"; python3 -m venv v; . v/bin/activate
step "pip install -c constraints.txt '.[report,onnx,http,serve,huggingface]' scikit-learn"
pip install -q --disable-pip-version-check -c constraints.txt '.[report,onnx,http,serve,huggingface]' scikit-learn 2>&1 | grep -v WARNING
step "the user's own things: a folder of 900 pictures, an ONNX classifier (tutorial photos, its first two blocks)"
python - <<'P'
import re
text=open('docs/tutorials/photos.md').read()
open('own.py','w').write(re.findall(r"```python\n(.*?)```",text,re.S)[0])
P
python own.py
db3kd train --data npz:first.npz --architecture lenet5 --run runs/classifier --set train.epochs=40 --set train.rate=0.002 --set train.batch_size=32 >/dev/null 2>&1
db3kd export --weights runs/classifier/model.safetensors --to classifier >/dev/null 2>&1; cp classifier/student.onnx model.onnx
step "db3kd check-teacher onnx:model.onnx --data photos/"
db3kd check-teacher onnx:model.onnx --data photos/ 2>/dev/null | tail -3
step "db3kd distill ... --budget 300 --dry-run"
db3kd distill --teacher onnx:model.onnx --images photos/ --budget 300 --run runs/mine --dry-run 2>/dev/null | tail -6
step "db3kd distill --teacher onnx:model.onnx --images photos/ --budget 300 --run runs/mine"
db3kd distill --teacher onnx:model.onnx --images photos/ --budget 300 --run runs/mine >distill.out 2>distill.err; echo "exit $?"
step "db3kd report runs/mine; db3kd export runs/mine"
db3kd report runs/mine >/dev/null 2>&1; echo "exit $?"; db3kd export runs/mine; ls -la runs/mine/export runs/mine/report.html
step "the Python of README (forest), with 300 questions"
python - <<'P'
import re
exec(re.findall(r"```python\n(.*?)```",open('README.md').read(),re.S)[0]); print(result.spent)
P
step done
