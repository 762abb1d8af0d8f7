"""How well the members of a run's committee copy their teacher: measure.py RUN TEACHER ARCHIVE OUT.json.

RUN is one of `benchmarks.zero_shot --run`, TEACHER are the weights of a residual-half, ARCHIVE is of
`benchmarks.clipart`.
"""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file

from db3kd.data import load
from db3kd.evaluation import logits
from db3kd.models import build
from db3kd.pipeline.kept import kept_bought
from db3kd.runs import Keeper
from db3kd.runs.run import existing

run, source, archive, out = sys.argv[1:]
with existing(run) as one:
    bought = kept_bought(Keeper(one))
test = load(f"npz:{archive}", "test")
teacher = build("residual-half", test.image_shape, 8)
teacher.load_state_dict(load_file(source))
decisions = logits(teacher.eval(), test).argmax(dim=1)
scores = {f"member {number}": logits(member, test) for number, member in enumerate(bought.committee)}
scores["all together"] = sum(scores.values())
found = {}
for name, its in scores.items():
    right = its.argmax(dim=1)
    shares = [round(100 * float((right == truth).float().mean()), 2) for truth in (test.labels, decisions)]
    found[name] = {"accuracy": shares[0], "agreement": shares[1]}
about = {
    "teacher": round(100 * float((decisions == test.labels).float().mean()), 2),
    "questions": len(bought.answers),
    "answers by class": torch.bincount(bought.answers.decisions).tolist(),
    "committee": found,
}
Path(out).write_text(json.dumps(about, indent=2) + "\n")
