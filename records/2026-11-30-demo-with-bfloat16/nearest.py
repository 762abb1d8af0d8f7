"""What one image that lies very near its boundary does to students of the paper's rule: the demo's BD and MBD again.

The least distance of all pairs stays as it was measured, or is set to the next one. No query is spent.

usage: python nearest.py runs/demo OUT.json
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

from db3kd.context import Context
from db3kd.data import load
from db3kd.evaluation import predict
from db3kd.models import build
from db3kd.pipeline.kept import kept_bought
from db3kd.pipeline.lessons import fixed_material
from db3kd.pipeline.story import FixedLesson
from db3kd.runs import Keeper
from db3kd.runs.run import existing
from db3kd.softening import Inverse
from db3kd.training import Recipe, fit

run, out = map(Path, sys.argv[1:])
test, recipe = load("mnist-5k", "test"), Recipe("adam", 1e-3, epochs=100, batch_size=32)
lesson = FixedLesson(Inverse(), classes="true")
rows = []
for method in ("bd", "mbd"):
    with existing(run / method) as one:
        bought = kept_bought(Keeper(one))
    measured = bought.distances.distances
    least, second = measured[measured > 0].sort().values[:2].tolist()
    for value in (least, second):
        distances = replace(bought.distances, distances=measured.where(measured != least, value))
        material = fixed_material(lesson, replace(bought, distances=distances), Context())
        right = []
        for seed in (0, 1, 2):
            network = build("lenet5-half", (1, 28, 28), 10, seed=seed)
            trained = fit(network, material, recipe, context=Context(seed=seed))
            right.append(float((predict(trained, test) == test.labels).float().mean()))
        rows.append({"method": method, "least": value, "accuracy": right})
        out.write_text(json.dumps(rows, indent=2) + "\n")
