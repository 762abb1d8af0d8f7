"""What a teacher minds of made images, and what a network gains from views and unasked candidates there.

usage: python measure.py RUN TEACHER OUT.json

RUN is one of `benchmarks.zero_shot --run`; TEACHER are the weights of a LeNet5 on Fashion-MNIST.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import load_file

from db3kd.augmentation import approve, view_questions
from db3kd.context import Context
from db3kd.data import load
from db3kd.evaluation import logits
from db3kd.models import build
from db3kd.pipeline.asking import answered
from db3kd.pipeline.kept import kept_bought
from db3kd.pools import Priors
from db3kd.pools.supply import supply
from db3kd.runs import Keeper
from db3kd.runs.run import existing
from db3kd.teachers import TorchTeacher
from db3kd.training import Material, Objective, Unasked, Views, fit, member_seed
from db3kd.training.committee import POOL_RECIPE, teaching_recipe
from db3kd.training.objective import balanced

run, source, out = sys.argv[1:]
torch.set_num_threads(1)
with existing(run) as one:
    bought = kept_bought(Keeper(one))
network = build("lenet5", (1, 28, 28), 10)
network.load_state_dict(load_file(source))
teacher = TorchTeacher(network.eval(), input_shape=(1, 28, 28), num_classes=10, levels=256)
test = load("fashion-mnist", "test")
wanted, found = teacher(test.images()), []


def note(name, scores):
    """Keep a figure."""
    right = scores.argmax(dim=1)
    shares = [round(100 * float((right == truth).float().mean()), 2) for truth in (test.labels, wanted)]
    found.append({"learned from": name, "accuracy": shares[0], "agreement": shares[1]})
    Path(out).write_text(json.dumps({"transforms": transforms, "networks": found}, indent=2) + "\n")


answers = bought.answers
questions = view_questions(answers, 320, torch.Generator().manual_seed(5))
decisions = teacher(questions.pixels / 255)
seen = answers.joined(answered(questions, decisions, answers, torch.zeros(len(questions), dtype=torch.bool)))
views = approve(seen)
transforms = [asdict(one) for one in views]
weak, strong = ({one.transform: getattr(one, way) for one in views} for way in ("weak", "strong"))

scores = [logits(member, test) for member in bought.committee]
for member, its in enumerate(scores):
    note(f"member {member}, answers as they are", its)
note("the committee of these", sum(scores))

rows = answers.learned()
pixels, labels = answers.images.pixels[rows], answers.decisions[rows]
candidates = supply(Priors((1, 28, 28)), answers, 60_000, torch.Generator().manual_seed(3)).pixels
recipe, objective = teaching_recipe(len(rows)), balanced(labels, 10)
counts = torch.bincount(labels, minlength=10) + 1.0
adjusted = Objective(labels=labels, smoothing=0.05, offsets=(counts / counts.sum()).log())
# Their class shares are taken to be alike.
beside = Unasked(candidates, torch.arange(len(candidates)), torch.full((10,), 0.1), len(rows), 3)
lessons = [
    ("answers in weak views", Material(pixels, objective, views=Views(weak, weak)), recipe, 2),
    ("answers in strong views", Material(pixels, objective, views=Views(strong, strong)), recipe, 1),
    ("candidates too, strong views", Material(pixels, adjusted, 6700, Views(weak, strong), beside), POOL_RECIPE, 1),
    ("candidates too, weak views", Material(pixels, adjusted, 6700, Views({}, weak), beside), POOL_RECIPE, 1),
]
for name, material, how, networks in lessons:
    for number in range(networks):
        seed = member_seed(0, number, len(rows))
        learned = fit(build("lenet5", (1, 28, 28), 10, seed=seed), material, how, context=Context(seed=seed))
        note(f"{name}, network {number}", logits(learned, test))
