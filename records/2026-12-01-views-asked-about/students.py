"""Students of the answers of a finished run, by committees of other sizes and by other views; no query is spent.

usage: students.py RUN IMAGES TEACHER OUT.jsonl SEED MEMBERS SEEN SHARE PASSES STUDENT[,STUDENT]

RUN is of `benchmarks.frontier`. MEMBERS networks learn from SEEN unasked images each; where SEEN is 0, those of the run
are among them. SHARE of the images is shown in weak views, each time others, PASSES times each.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from benchmarks import command
from db3kd.context import Context
from db3kd.data import load
from db3kd.evaluation import mean_logits
from db3kd.models import build
from db3kd.pipeline import opinions
from db3kd.pipeline.asking import as_seen
from db3kd.pipeline.kept import kept_bought
from db3kd.pipeline.story import CommitteeLesson
from db3kd.pipeline.teach import Teach, recipe_for
from db3kd.runs import Keeper, Run, existing
from db3kd.training import Committee, fit, member_seed

FOLDER, IMAGES, TEACHER, OUT, *NUMBERS, STUDENTS = sys.argv[1:]
SEED, COUNT, SEEN, SHARE, PASSES = (float(number) for number in NUMBERS)
CONTEXT = Context(seed=int(SEED))
torch.set_num_threads(1)
ASKED = command.teacher_of(TEACHER, device="cpu")
POOL, TEST = (as_seen(load(IMAGES, part), ASKED.spec) for part in ("train", "test"))
DECISIONS = torch.cat([ASKED(images) for images in TEST.images().split(256)])
with existing(Path(FOLDER)) as run:
    BOUGHT = kept_bought(Keeper(run))


def note(name: str, networks: Sequence[nn.Module]) -> None:
    """Write down how often networks are right together, and how often they agree with the teacher."""
    decided = mean_logits(networks, TEST)[:, : ASKED.spec.num_classes].argmax(dim=1)
    right, agreed = (float((decided == known).float().mean()) for known in (TEST.labels, DECISIONS))
    row = {"run": Path(FOLDER).name, "name": name, "members": int(COUNT), "seen": int(SEEN), "views": SHARE}
    with Path(OUT).open("a") as file:
        file.write(json.dumps({**row, "seed": int(SEED), "accuracy": right, "agreement": agreed}) + "\n")


def members() -> list[nn.Module]:
    """Give the run's own networks and further ones, or others throughout; what was trained before is read."""
    committee = Committee("lenet5", seen=int(SEEN) or None)
    learned = len(BOUGHT.answers.learned())
    recipe = committee.recipe_for(learned, POOL)
    material, found = committee.lesson(BOUGHT.answers, recipe, POOL), [] if SEEN else list(BOUGHT.committee)
    for number in range(len(found), int(COUNT)):
        seed, file = member_seed(CONTEXT.seed, number, learned), Path(f"{OUT}.{FOLDER.split('/')[-1]}.{SEEN}.{number}")
        network = build("lenet5", POOL.image_shape, committee.classes_for(BOUGHT.answers, POOL), seed=seed)
        if file.exists():
            network.load_state_dict(load_file(file))
        else:
            network = fit(network, material, recipe, context=replace(CONTEXT, seed=seed))
            save_file({name: value.contiguous() for name, value in network.state_dict().items()}, file)
        found.append(network.eval())
    return found[: int(COUNT)]


networks = members()
for number, network in enumerate(networks):
    note(f"member {number}", [network])
note("committee", networks)
opinions._CHANGED, opinions._PASSES = SHARE, int(PASSES)
for student in STUDENTS.split(","):
    recipe = recipe_for(CommitteeLesson(), student, len(BOUGHT.answers), POOL)
    lessons = opinions.WholePool(CommitteeLesson(), replace(BOUGHT, committee=tuple(networks)), POOL, recipe, CONTEXT)
    classes = ASKED.spec.num_classes
    stage = Teach("student", lessons, student, recipe, about={}, digest="", num_classes=classes, seed=CONTEXT.seed)
    with TemporaryDirectory() as folder, Run(Path(folder)) as run:
        note(student, [Keeper(run, CONTEXT).perform(stage)])
