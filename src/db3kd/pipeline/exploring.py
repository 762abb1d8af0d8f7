"""The stage that asks where there are no images: round by round, each one chosen by what the rounds before taught.

Every round's questions and answers are kept when it is finished, and its answers are noted as they come, so that an
interrupted run goes on without paying twice. What to ask is chosen by `db3kd.synthesis.active`. Called by
`db3kd.pipeline.dataless`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import torch
from torch import nn

from db3kd.errors import BudgetExhausted, InputError, RunMismatch
from db3kd.evaluation import Gain, has_flattened, mean_logits, measure_gain
from db3kd.execution import Remembering
from db3kd.pipeline.asking import asking, identity_of
from db3kd.pipeline.ensembles import LAST, choosing_recipe, teaching_recipe, train_ensemble
from db3kd.pipeline.story import Budget, Progress, silent
from db3kd.pipeline.synthesized import check_makeable
from db3kd.runs import Run
from db3kd.synthesis.active import Rounds, choose, open_with
from db3kd.synthesis.answers import Answers, Questions, joined, no_answers
from db3kd.synthesis.between import BoundaryPairs
from db3kd.synthesis.priors import FAMILIES
from db3kd.teachers import Teacher, TeacherSpec
from db3kd.tensorfile import pack, unpack
from db3kd.tensors import Int, Tensor
from db3kd.training import Recipe

DatalessMethod = Literal["active", "priors"]
EXPLORE = "explore"
_KIND = "db3kd-answers-1"
_CALLS_OF_A_PART = 8


@dataclass(frozen=True)
class Exploring:
    """How a teacher is explored without images.

    Args:
        queries: to spend in all; fewer where the rounds stop gaining.
        rounds: how they are divided.
        architecture: of the primers, as `db3kd.models.build` takes it.
        networks: primers that learn from the same answers, and choose what to ask.
        teaching: primers that learn from all answers in the end, and teach the student.
        recipe: how the last ones learn; None for one that suits the number of answers.
        patience: the rounds end early where so many in a row surely gained too little; 0 never ends them.
        least_gain: a gain below it, a standard error included, is too little, in agreement on the answers kept apart, a
            fraction of 1.
        seed: of all random choices.
        device: where primers are trained and asked.
    """

    queries: int
    rounds: Rounds = field(default_factory=Rounds)
    architecture: str = "lenet5"
    networks: int = 3
    teaching: int = 5
    recipe: Recipe | None = None
    # When to end, and where it runs, do not tell what is found: a run may go on with others.
    patience: int = field(default=2, repr=False)
    least_gain: float = field(default=0.01, repr=False)
    seed: int = 0
    device: str = field(default="cpu", repr=False)

    @property
    def method(self) -> DatalessMethod:
        """What users call it: "priors" is one opening and no rounds."""
        return "priors" if self.rounds.opening == 1 else "active"


@dataclass(frozen=True)
class Explored:
    """What was bought, and who has learned it.

    Args:
        answers: all of them.
        primers: networks that have learned those not kept apart, on the CPU.
        gains: of the rounds, in order.
        stopped_early: whether the budget was not spent, since the rounds no longer gained.
    """

    answers: Answers
    primers: tuple[nn.Module, ...]
    gains: tuple[Gain, ...]
    stopped_early: bool


def explore(
    run: Run,
    teacher: Teacher,
    exploring: Exploring,
    *,
    budget: Budget,
    until_spent: bool = False,
    progress: Progress = silent,
) -> Explored:
    """Ask a teacher about made images, round by round, or read what it said before.

    Args:
        run: keeps a file for each round, and the primers.
        teacher: decides.
        exploring: how.
        budget: what may be spent.
        until_spent: whether a budget that does not last for all rounds is their end, with the answers that came, and
            not an error. They then stay ended: what would be asked next depends on all of them.
        progress: hears how far it is.

    Returns:
        The answers and an ensemble that has learned them.

    Raises:
        BudgetExhausted: the budget is spent before the rounds are; the answers so far are kept.
        InputError: the teacher's bounds are not those of images, or there is no query to spend.
        RunMismatch: the run holds the answers of another exploration.
        TeacherError: the teacher failed for good.

    Cost: `exploring.queries` at most.
    """
    _check(teacher.spec, exploring)
    shape, num_classes = teacher.spec.input_shape, teacher.spec.num_classes
    answers = no_answers(shape, num_classes)
    gains: list[Gain] = []
    primers: tuple[nn.Module, ...] = ()
    stopped = False
    for number, size in enumerate(exploring.rounds.sizes(exploring.queries)):
        progress(EXPLORE, len(answers), exploring.queries, "queries")
        earlier, primers = primers, _choosers(run, answers, exploring, number, progress=progress)
        gains += _gains(answers, earlier, primers, device=exploring.device)
        if exploring.patience and has_flattened(gains, least=exploring.least_gain, patience=exploring.patience):
            stopped = True
            break
        kept = _read(run, teacher, exploring, number)
        if kept is None:
            asked = _Round(number, size, primers)
            kept = _ask(
                run, teacher, answers, asked, exploring, budget=budget, until_spent=until_spent, progress=progress
            )
        answers = answers.joined(*kept)
        if len(kept[1]) < size:
            break
    progress(EXPLORE, len(answers), exploring.queries, "queries")
    recipe = exploring.recipe or teaching_recipe(len(answers.learned()))
    last = _train(run, LAST, answers, exploring, recipe=recipe, networks=exploring.teaching, progress=progress)
    if not stopped:
        gains += _gains(answers, primers, last, device=exploring.device, learned_longer=True)
    return Explored(answers, last, tuple(gains), stopped)


def count_rounds(run: Run) -> int:
    """Tell how many steps of an exploration are finished in a run."""
    return len(list(run.folder.glob(f"{EXPLORE}-*.safetensors")))


def _check(spec: TeacherSpec, exploring: Exploring) -> None:
    check_makeable(spec)
    if exploring.queries < 1 or exploring.networks < 2 or exploring.teaching < 1:
        raise InputError(
            f"exploring needs at least 1 query, 2 networks, which can disagree, and 1 that teaches, got "
            f"{exploring.queries}, {exploring.networks} and {exploring.teaching}; nothing was asked"
        )


def _choosers(
    run: Run, answers: Answers, exploring: Exploring, number: int, *, progress: Progress
) -> tuple[nn.Module, ...]:
    """The primers that choose a round; none while it is opened."""
    opening = round(exploring.rounds.opening * exploring.queries)
    if not len(answers) or len(answers) < opening:
        return ()
    recipe, name = choosing_recipe(len(answers.learned())), f"round-{number}"
    return _train(run, name, answers, exploring, recipe=recipe, networks=exploring.networks, progress=progress)


def _train(
    run: Run, name: str, answers: Answers, exploring: Exploring, *, recipe: Recipe, networks: int, progress: Progress
) -> tuple[nn.Module, ...]:
    return train_ensemble(
        run,
        name,
        answers,
        architecture=exploring.architecture,
        recipe=recipe,
        networks=networks,
        seed=exploring.seed,
        device=exploring.device,
        progress=progress,
    )


def _gains(
    answers: Answers,
    before: Sequence[nn.Module],
    after: Sequence[nn.Module],
    *,
    device: str,
    learned_longer: bool = False,
) -> list[Gain]:
    """What later primers know more than earlier ones; nothing where one of them or an answer kept apart is missing."""
    rows = answers.apart().nonzero()[:, 0]
    if not before or not after or not len(rows):
        return []
    pixels = answers.questions.pixels[rows]
    earlier, later = (mean_logits(primers, pixels, device=device).argmax(dim=1) for primers in (before, after))
    decisions = answers.decisions[rows]
    return [measure_gain(earlier, later, decisions, queries=len(answers), learned_longer=learned_longer)]


class _Round(NamedTuple):
    """One round: which, of how many queries, and who chooses them; nobody while it is opened."""

    number: int
    size: int
    primers: Sequence[nn.Module]


def _ask(
    run: Run,
    teacher: Teacher,
    answers: Answers,
    this: _Round,
    exploring: Exploring,
    *,
    budget: Budget,
    until_spent: bool,
    progress: Progress,
) -> tuple[Questions, Int[Tensor, " b"]]:
    """Ask the questions of one round, and keep them with their answers."""
    number, size, primers = this
    stage, identity = f"{EXPLORE}-{number}", _identity(teacher, exploring, number)
    none = no_answers(teacher.spec.input_shape, teacher.spec.num_classes)
    asked, decided = [none.questions], [none.decisions]
    seed = (exploring.seed + 1) * 7919 + number
    with asking(run, teacher, budget, EXPLORE) as oracle, run.journal(stage, identity) as journal:
        remembering = Remembering(oracle, journal)

        def ask(questions: Questions) -> Int[Tensor, " b"]:
            # In parts: where the budget ends, the answers before are kept.
            for rows in torch.arange(len(questions)).split(_rows_of_a_part(teacher.spec)):
                part = questions.take(rows)
                decided.append(remembering(teacher.spec.admit(part.images())))
                asked.append(part)
                progress(EXPLORE, len(answers) + sum(map(len, asked)), exploring.queries, "queries")
            return torch.cat(decided)[-len(questions) :]

        try:
            if not primers:
                ask(open_with(answers, size, seed=seed))
            else:
                between = round(exploring.rounds.between * size) // exploring.rounds.halvings
                pairs = BoundaryPairs(answers, between, torch.Generator().manual_seed(seed))
                for _ in range(exploring.rounds.halvings if len(pairs) else 0):
                    pairs.observe(ask(pairs.propose()))
                left = size - sum(map(len, asked))
                ask(choose(answers, primers, left, rounds=exploring.rounds, seed=seed, device=exploring.device))
        except BudgetExhausted:
            if not until_spent or not len(answers) + sum(map(len, asked)):
                raise
    questions, decisions = joined(asked), torch.cat(decided)
    tensors = {
        "pixels": questions.pixels,
        "kinds": questions.kinds,
        "families": questions.families,
        "decisions": decisions,
    }
    run.put(f"{stage}.safetensors", pack(tensors, {"identity": identity.hex()}, kind=_KIND))
    run.drop_journal(stage)
    return questions, decisions


def _rows_of_a_part(spec: TeacherSpec) -> int:
    """A call, or as many as keep a service busy."""
    return spec.max_batch * (1 if spec.service.in_flight == 1 else _CALLS_OF_A_PART * spec.service.in_flight)


def _read(run: Run, teacher: Teacher, exploring: Exploring, number: int) -> tuple[Questions, Int[Tensor, " b"]] | None:
    name = f"{EXPLORE}-{number}.safetensors"
    kept = run.get(name)
    if kept is None:
        return None
    way_out = "delete it and run again: its queries are paid again"
    tensors, header = unpack(kept, kind=_KIND, origin=str(run.folder / name), way_out=way_out)
    if header["identity"] != _identity(teacher, exploring, number).hex():
        raise RunMismatch(
            f"{run.folder / name} holds answers of another teacher, of other rounds or of another version of "
            "db3kd; nothing was asked: use another run directory"
        )
    return Questions(tensors["pixels"], tensors["kinds"], tensors["families"]), tensors["decisions"]


def _identity(teacher: Teacher, exploring: Exploring, number: int) -> bytes:
    families = ",".join(family.name for family in FAMILIES)
    return identity_of(teacher, repr(exploring), families, str(number))
