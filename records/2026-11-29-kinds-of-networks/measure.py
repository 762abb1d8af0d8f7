"""What networks of two kinds make of the same answers: measure.py RUN TEACHER TEST KIND[,KIND] SEED[,SEED] [SEEN].

RUN is that of `python -m benchmarks.zero_shot`. Prints a line of JSON for each network: agreement with the answers that
the run set aside, and accuracy and agreement on TEST, after so many images (500,000 by default). Then the kind that
`db3kd.pipeline.trial` takes by the first fifth of the answers.
"""

import json
import logging
import sys
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from db3kd.context import Context
from db3kd.data import load
from db3kd.evaluation import predict
from db3kd.models import build, weights
from db3kd.pipeline.kept import kept_answers
from db3kd.pipeline.trial import tried
from db3kd.runs import Keeper, Run
from db3kd.training import Committee, Recipe, fit
from db3kd.training.committee import lesson_of

folder, teacher, source, kinds, seeds = sys.argv[1:6]
seen = int(sys.argv[6]) if len(sys.argv) > 6 else 500_000
torch.set_num_threads(1)
logging.basicConfig(level=logging.INFO, format="%(message)s")
with Run(Path(folder)) as run:
    answers = kept_answers(Keeper(run))
test = load(source, "test")
assert test.labels is not None
decisions, aside = predict(weights.from_file(teacher)[0], test), answers.aside.nonzero()[:, 0]
recipe = Recipe("adam", 2e-3, 20, 64, schedule="one-cycle", precision="bfloat16")
lesson = replace(lesson_of(answers), images_per_epoch=seen // recipe.epochs)
for kind in kinds.split(","):
    for seed in map(int, filter(None, seeds.split(","))):
        started = time.perf_counter()
        network = build(kind, test.image_shape, answers.num_classes, seed=1000 + seed)
        learned = fit(network, lesson, recipe, context=Context(seed=seed))
        said = predict(learned, test)
        figures = {
            "network": kind,
            "seed": seed,
            "seen": seen,
            "aside": float(
                (predict(learned, answers.images.pixels[aside]) == answers.decisions[aside]).double().mean()
            ),
            "accuracy": float((said == test.labels).double().mean()),
            "agreement": float((said == decisions).double().mean()),
            "seconds": time.perf_counter() - started,
        }
        sys.stdout.write(json.dumps(figures) + "\n")
        sys.stdout.flush()
first, *others = kinds.split(",")
with TemporaryDirectory() as place, Run(Path(place)) as run:
    settled = tried(Committee(first, rivals=tuple(others)), answers, len(answers) // 5, Keeper(run))
    sys.stdout.write(json.dumps({"taken by a fifth of the answers": settled.architecture}) + "\n")
