"""What the rounds without data are compared with at equal calls: noise, DIP-KD-style priors, and the paper's repulsion.

Each asks and keeps its answers in the run, so that an interrupted measurement goes on without paying twice. Students of
all of them learn alike (`teach`). Called by `zero_shot`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from db3kd.bench.dip_kd import draw_priors, spread
from db3kd.boundary.guided import GuidedOptions
from db3kd.boundary.methods import BoundaryDistance, GuidedDistance, Method, MinimalBoundaryDistance
from db3kd.boundary.sign_opt import SignOptOptions
from db3kd.data import Dataset
from db3kd.data.dataset import numbered
from db3kd.errors import InputError
from db3kd.pipeline.asking import decide
from db3kd.pipeline.ensembles import balanced_objective, teaching_recipe
from db3kd.pipeline.exploring import Exploring
from db3kd.pipeline.imitating import Imitation, candidates_for, corrected, imitation_recipe, opinions
from db3kd.pipeline.noising import all_noise, ask_noise
from db3kd.pipeline.story import Budget, Progress, silent
from db3kd.pipeline.students import train
from db3kd.pipeline.synthesized import check_makeable
from db3kd.pipeline.synthesizing import Pushing, synthesize
from db3kd.runs import Run
from db3kd.synthesis import NoiseOptions, Repulsion
from db3kd.synthesis.candidates import fresh
from db3kd.synthesis.priors import FAMILIES
from db3kd.teachers import Teacher
from db3kd.tensors import Int, Tensor, UInt8
from db3kd.training import Objective

BaselineMethod = Literal["noise", "dip-kd", "repulsion", "repulsion-guided"]

_NETWORKS = Exploring.teaching
# Of the paper's search, where the paper spends 5,000 a step.
_QUERIES_PER_STEP, _STEPS, _STRIDE = 100, 40, 5
_NOISE_SHARE = 10


@dataclass(frozen=True, eq=False)
class Bought:
    """What a baseline asked, and what the teacher said.

    Args:
        images: all of them, or those that the method learns from.
        decisions: the teacher's class of each.
        num_classes: of the teacher.
    """

    images: Dataset
    decisions: Int[Tensor, " n"]
    num_classes: int

    def joined(self, other: "Bought") -> "Bought":
        """Put what was bought besides behind it."""
        decisions = torch.cat([self.decisions, other.decisions])
        return Bought(self.images.joined(other.images), decisions, self.num_classes)


def buy(  # what is asked stands in the call; options are keyword-only
    run: Run,
    teacher: Teacher,
    method: BaselineMethod,
    calls: int,
    *,
    architecture: str,
    seed: int = 0,
    device: str = "cpu",
    progress: Progress = silent,
) -> Bought:
    """Spend calls as a method would, or read what was bought before.

    Args:
        run: keeps the answers.
        teacher: decides.
        method: which one; "repulsion" searches by Sign-OPT as in the paper, "repulsion-guided" by the guided search.
        calls: to spend.
        architecture: of the primer that spreads the images of "dip-kd".
        seed: of all choices.
        device: where primers and searches run.
        progress: hears how far it is.

    Returns:
        Images and decisions.

    Raises:
        InputError: so few calls that nothing can be pushed, or a teacher that no image can be made for.

    Cost: `calls` queries; after a kill, up to a lease more is counted.
    """
    check_makeable(teacher.spec)
    if method == "noise":
        return _ask(run, teacher, _uniform(teacher, calls, seed=seed), "noise", progress=progress)
    if method == "dip-kd":
        return _buy_spread(run, teacher, calls, architecture=architecture, seed=seed, device=device, progress=progress)
    return _buy_pushed(run, teacher, method, calls, seed=seed, device=device, progress=progress)


def teach(
    run: Run,
    bought: Bought,
    students: Sequence[str],
    *,
    architecture: str,
    epochs: int,
    seed: int = 0,
    device: str = "cpu",
    progress: Progress = silent,
) -> dict[str, nn.Module]:
    """Train students as those of the rounds are: on decisions and on what five primers think of the same images.

    What they lack is the endless candidates of the rounds, which are no part of these methods. They see as many images.

    Args:
        run: keeps the networks.
        bought: what they learn from.
        students: their architectures.
        architecture: of the primers.
        epochs: each as long as one of the rounds' students.
        seed: of all trainings.
        device: where networks are trained and asked.
        progress: hears the epochs.

    Returns:
        The students by their architectures.

    Cost: none.
    """
    primers = [
        _learn(
            run,
            f"primer-{number}",
            bought,
            architecture,
            seed=_NETWORKS * seed + number,
            device=device,
            progress=progress,
        )
        for number in range(_NETWORKS)
    ]
    like = Imitation(architecture, imitation_recipe(epochs), candidates_for(len(bought.images)), device=device)
    thought = corrected(opinions(primers, bought.images, like), bought.decisions, like)
    objective = Objective(soft_labels=thought, temperature=like.temperature)
    seen = epochs * (like.candidates + min(like.answered, len(bought.images)))
    return {
        student: train(
            run,
            student_name(student),
            bought.images,
            objective,
            architecture=student,
            recipe=imitation_recipe(max(1, round(seen / len(bought.images)))),
            seed=seed,
            device=device,
            progress=progress,
        )
        for student in students
    }


def student_name(architecture: str) -> str:
    """Name a student in its run, where a colon would be no part of a file name."""
    return f"student-{architecture.replace(':', '.')}"


def _ask(run: Run, teacher: Teacher, images: Dataset, stage: str, *, progress: Progress) -> Bought:
    # No limit: so many images are asked about and no more, and what a kill lost in flight must not end a measurement.
    decisions = decide(run, teacher, images, budget=Budget(), stage=stage, progress=progress)
    return Bought(images, decisions, teacher.spec.num_classes)


def _uniform(teacher: Teacher, count: int, *, seed: int) -> Dataset:
    spec = teacher.spec
    alone = torch.tensor([1.0 if family.name == "uniform noise" else 0.0 for family in FAMILIES])
    generator = torch.Generator().manual_seed(seed)
    return _named(fresh(count, spec.input_shape, alone, generator).pixels, "uniform noise")


def _named(pixels: UInt8[Tensor, "n c h w"], name: str) -> Dataset:
    # Not `from_arrays`, which takes images of one, three or four columns for others.
    return Dataset(name, numbered(name, len(pixels)), pixels, None, ())


def _buy_spread(
    run: Run, teacher: Teacher, calls: int, *, architecture: str, seed: int, device: str, progress: Progress
) -> Bought:
    """Half of the calls for priors as they come; then priors that a primer of their answers sees apart."""
    shape, generator = teacher.spec.input_shape, torch.Generator().manual_seed(seed)
    priors = draw_priors(calls, shape, generator)
    opening = -(-calls // 2)
    first = _ask(run, teacher, _named(priors[:opening], "priors"), "priors", progress=progress)
    if calls == opening:
        return first
    primer = _learn(run, "spreader", first, architecture, seed=seed, device=device, progress=progress)
    apart = _named(spread(primer, priors[opening:], generator, device=device), "spread priors")
    second = _ask(run, teacher, apart, "spread", progress=progress)
    return first.joined(second)


def _buy_pushed(
    run: Run, teacher: Teacher, method: BaselineMethod, calls: int, *, seed: int, device: str, progress: Progress
) -> Bought:
    """A tenth for noise, the rest for pushing some of each class, and what that leaves for further noise."""
    spec, budget = teacher.spec, Budget()
    pushing = _pushing(method, calls, spec.num_classes, seed=seed, device=device)
    made = synthesize(run, teacher, pushing, budget=budget, progress=progress)
    answers = ask_noise(run, teacher, pushing.noise, budget=budget, progress=progress)
    noise = Bought(all_noise(spec, pushing.noise, len(answers)), answers, spec.num_classes)
    pushed = noise.joined(Bought(made.images, made.decisions, spec.num_classes))
    left = calls - sum(made.figures.queries.values())
    if not left:
        return pushed
    further = NoiseOptions(rounds=1, images_per_round=left, seed=seed + 1_000_003)
    beside = _ask(run, teacher, all_noise(spec, further, left), "noise-beside", progress=progress)
    return pushed.joined(beside)


def _pushing(method: BaselineMethod, calls: int, num_classes: int, *, seed: int, device: str) -> Pushing:
    """As many images of each class and as many steps as the calls surely pay."""
    noise = calls // _NOISE_SHARE
    rest = (calls - noise) // num_classes
    search = _search(method, seed)
    one = Repulsion(search, _QUERIES_PER_STEP, 1).most_queries
    images = max(1, rest // (_STEPS * one))
    steps = min(_STEPS, rest // (images * one))
    if steps < 1 or not noise:
        needed = -(-_NOISE_SHARE * one * num_classes // (_NOISE_SHARE - 1)) + num_classes
        raise InputError(
            f"pushing an image of each of {num_classes} classes once takes about {needed:,} calls, got {calls:,}; "
            "nothing was asked: allow more"
        )
    keep = (*range(_STRIDE, steps, _STRIDE), steps)
    return Pushing(
        NoiseOptions(images, rounds=1, images_per_round=noise, seed=seed),
        Repulsion(search, _QUERIES_PER_STEP, steps, keep, seed=seed, device=device),
    )


def _search(method: BaselineMethod, seed: int) -> Method:
    if method == "repulsion-guided":
        return GuidedDistance(options=GuidedOptions(20), seed=seed)
    return MinimalBoundaryDistance(BoundaryDistance(3), SignOptOptions(40), seed)


def _learn(
    run: Run, name: str, bought: Bought, architecture: str, *, seed: int, device: str, progress: Progress
) -> nn.Module:
    """Train a primer on decisions, a rare class counting as much as a frequent one."""
    return train(
        run,
        name,
        bought.images,
        balanced_objective(bought.decisions, bought.num_classes),
        architecture=architecture,
        recipe=teaching_recipe(len(bought.images)),
        num_classes=bought.num_classes,
        # Far from the seeds that students and teachers are made with: a primer must not begin as its teacher did.
        seed=(seed + 1) * 1_000_003,
        device=device,
        progress=progress,
    )
