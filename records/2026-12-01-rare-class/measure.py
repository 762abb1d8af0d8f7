"""A class that is one image in 200 of a pool: how often it is asked about, and how much of it a student learns.

usage: python measure.py TEACHER OUT.json QUESTIONS SEEDS CLASSES
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import load_file

import db3kd
from db3kd.data import load
from db3kd.evaluation import predict
from db3kd.models import build
from db3kd.teachers import TorchTeacher

source, out, questions, seeds, classes = sys.argv[1:]
network = build("lenet5", (1, 28, 28), 10)
network.load_state_dict(load_file(source))
teacher = TorchTeacher(network, input_shape=(1, 28, 28), num_classes=10, levels=256)
pool, test = load("mnist-5k"), load("mnist-5k", "test")
decided, wanted = teacher(pool.images()), teacher(test.images())
rows = []
for rare in map(int, classes.split(",")):
    others = decided != rare
    few = (decided == rare).nonzero()[:, 0][: round(int(others.sum()) / 199)]
    kept = torch.cat([others.nonzero()[:, 0], few]).sort().values
    unlabelled = replace(pool.subset(kept), labels=None)
    for seed in map(int, seeds.split(",")):
        for way in ("margin", "random"):
            result = db3kd.distill(teacher, unlabelled, budget=int(questions), acquisition=way, seed=seed)
            alike = predict(result.student, test) == wanted
            row = {
                "rare": rare,
                "images_of_it": len(few),
                "acquisition": way,
                "seed": seed,
                "spent": result.spent,
                "asked_of_it": int((result.answers.decisions == rare).sum()),
                "agreement": float(alike.float().mean()),
                "agreement_on_it": float(alike[wanted == rare].float().mean()),
            }
            rows.append(row)
            Path(out).write_text(json.dumps(rows, indent=2) + "\n")
