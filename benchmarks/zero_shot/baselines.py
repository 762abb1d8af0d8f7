"""What the rounds without data are compared with at equal calls: noise, DIP-KD-style priors, and the paper's repulsion.

Each asks, and a run keeps its answers, so that an interrupted measurement goes on without paying twice. What students
learn of them is the same for all (`zero_shot`, which calls this).
"""

from typing import Literal

import torch

from benchmarks.zero_shot.dip_kd import draw_priors, spread
from db3kd.answers import Answers, Candidates
from db3kd.boundary import BoundaryDistance, GuidedDistance, Method, MinimalBoundaryDistance
from db3kd.errors import InputError
from db3kd.pipeline.ask_all import AskAll
from db3kd.pipeline.budget import Budget
from db3kd.pipeline.learn import LearnCommittee
from db3kd.pipeline.repel import AskNoise, PushNoise, all_noise, draw_starts
from db3kd.pipeline.story import Pushed
from db3kd.pools import NoiseOptions, Repulsion
from db3kd.pools.priors import FAMILIES, paint
from db3kd.runs import Keeper
from db3kd.teachers import Teacher
from db3kd.tensors import Float, Tensor, UInt8
from db3kd.training import Committee

BaselineMethod = Literal["noise", "dip-kd", "repulsion", "repulsion-guided"]

# Of the paper's search, where the paper spends 5,000 a step.
_QUERIES_PER_STEP, _STEPS, _STRIDE = 100, 40, 5
_NOISE_SHARE = 10
_FURTHER = 1_000_003


def buy(keeper: Keeper, teacher: Teacher, method: BaselineMethod, calls: int, *, architecture: str) -> Answers:
    """Spend calls as a method would, or read what was bought before.

    Args:
        keeper: keeps the answers; its seed decides all choices.
        teacher: decides.
        method: which one; "repulsion" searches by Sign-OPT as in the paper, "repulsion-guided" by the guided search.
        calls: to spend.
        architecture: of the network that spreads the images of "dip-kd".

    Returns:
        All answers, or those that the method learns from.

    Raises:
        InputError: so few calls that nothing can be pushed.

    Cost: `calls` queries; after a kill, up to a lease more is counted.
    """
    if method == "noise":
        return _ask(keeper, teacher, _uniform(teacher, calls, seed=keeper.context.seed), "uniform noise")
    if method == "dip-kd":
        return _buy_spread(keeper, teacher, calls, architecture=architecture)
    return _buy_pushed(keeper, teacher, method, calls)


def _ask(
    keeper: Keeper, teacher: Teacher, pixels: UInt8[Tensor, "n c h w"] | Float[Tensor, "n c h w"], name: str
) -> Answers:
    ids = tuple(f"{name}/{number:07}" for number in range(len(pixels)))
    about = f"{name} by seed {keeper.context.seed}"
    # No limit: so many images are asked about and no more, and what a kill lost in flight must not end a measurement.
    stage = AskAll(
        name.replace(" ", "-"), teacher, Candidates(pixels, (name,) * len(pixels), ids), about, budget=Budget()
    )
    return keeper.perform(stage)


def _uniform(teacher: Teacher, count: int, *, seed: int) -> UInt8[Tensor, "n c h w"]:
    (family,) = (family for family in FAMILIES if family.name == "uniform noise")
    return paint(family, count, teacher.spec.input_shape, torch.Generator().manual_seed(seed))


def _buy_spread(keeper: Keeper, teacher: Teacher, calls: int, *, architecture: str) -> Answers:
    """Half of the calls for priors as they come; then for priors that a network of their answers sees far apart."""
    seed = keeper.context.seed
    generator = torch.Generator().manual_seed(seed)
    priors = draw_priors(calls, teacher.spec.input_shape, generator)
    opening = -(-calls // 2)
    first = _ask(keeper, teacher, priors[:opening], "priors")
    if calls == opening:
        return first
    learning = LearnCommittee("spreader", first, Committee(architecture), members=1, seed=seed)
    (network,) = keeper.perform(learning)
    moved = spread(network, priors[opening:], generator, device=keeper.context.device)
    return first.joined(_ask(keeper, teacher, moved, "spread priors"))


def _buy_pushed(keeper: Keeper, teacher: Teacher, method: BaselineMethod, calls: int) -> Answers:
    """A tenth for noise, the rest for pushing some of each class, and what that leaves for further noise."""
    spec, seed = teacher.spec, keeper.context.seed
    pushed = _pushed(method, calls, spec.num_classes, seed=seed)
    decisions = keeper.perform(AskNoise(teacher, pushed.noise, budget=Budget(), seed=seed))
    starts = draw_starts(spec, pushed.noise, decisions, seed=seed)
    made = keeper.perform(PushNoise(teacher, pushed, starts, guide=None, budget=Budget(), seed=seed))
    answers = all_noise(spec, pushed.noise, decisions, seed=seed).joined(made.answers)
    left = calls - len(decisions) - sum(made.figures.queries.values())
    if not left:
        return answers
    options = NoiseOptions(rounds=1, images_per_round=left)
    further = all_noise(spec, options, torch.zeros(left, dtype=torch.int64), seed=seed + _FURTHER)
    return answers.joined(_ask(keeper, teacher, further.images.pixels, "further noise"))


def _pushed(method: BaselineMethod, calls: int, num_classes: int, *, seed: int) -> Pushed:
    """As many images of each class and as many steps as the calls surely pay."""
    noise = calls // _NOISE_SHARE
    rest = (calls - noise) // num_classes
    search = _search(method, seed)
    one = Repulsion(search, _QUERIES_PER_STEP, 1, (1,)).most_queries
    images = max(1, rest // (_STEPS * one))
    steps = min(_STEPS, rest // (images * one))
    if steps < 1 or not noise:
        needed = -(-_NOISE_SHARE * one * num_classes // (_NOISE_SHARE - 1)) + num_classes
        raise InputError(
            f"pushing an image of each of {num_classes} classes once takes about {needed:,} calls, got {calls:,}; "
            "nothing was asked: allow more"
        )
    keep = (*range(_STRIDE, steps, _STRIDE), steps)
    return Pushed(
        NoiseOptions(images, rounds=1, images_per_round=noise), Repulsion(search, _QUERIES_PER_STEP, steps, keep)
    )


def _search(method: BaselineMethod, seed: int) -> Method:
    if method == "repulsion-guided":
        return GuidedDistance(20, seed=seed)
    return MinimalBoundaryDistance(BoundaryDistance(3), 40, seed=seed)
