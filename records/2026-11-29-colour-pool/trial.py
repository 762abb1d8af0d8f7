"""Which kind of network a committee is of, after the opening of a budget: trial.py IMAGES TEACHER BUDGET SEED[,SEED].

TEACHER is a file of `db3kd train`. What is set aside and what is drawn by lot is asked, and no transformed image.
"""

import logging
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from db3kd.acquisition import Rounds
from db3kd.answers import no_answers
from db3kd.context import Context
from db3kd.data import load
from db3kd.evaluation import predict
from db3kd.models import weights
from db3kd.pipeline.asking import answered
from db3kd.pipeline.trial import tried
from db3kd.pools import ImagePool
from db3kd.runs import Keeper, Run
from db3kd.training import Committee

logging.basicConfig(level=logging.INFO, format="%(message)s")
SOURCE, TEACHER, BUDGET, SEEDS = sys.argv[1:]
POOL, (NETWORK, ABOUT) = load(SOURCE, "train"), weights.from_file(TEACHER)
STEPS = Rounds.of_pool().steps(int(BUDGET), size=len(POOL), channels=POOL.image_shape[0])
ASIDE, LOTS = STEPS[0].size, STEPS[1].size
NONE = no_answers(POOL.image_shape, int(ABOUT["num_classes"]))
for seed in map(int, SEEDS.split(",")):
    drawn = ImagePool(POOL).draw(ASIDE + LOTS, NONE, torch.Generator().manual_seed(seed))
    opening = answered(drawn, predict(NETWORK.eval(), drawn.pixels), NONE, torch.arange(len(drawn)) < ASIDE)
    with TemporaryDirectory() as folder, Run(Path(folder)) as run:
        committee = Committee("lenet5", rivals=("residual-half",))
        settled = tried(committee, opening, len(opening), Keeper(run, Context(seed=seed)), POOL)
    sys.stdout.write(f"{BUDGET} {seed} {len(opening)} {settled.architecture}\n")
