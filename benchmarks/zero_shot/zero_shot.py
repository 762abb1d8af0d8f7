"""How good students are that never saw an image, at a number of calls: methods without data, side by side.

The rounds and the priors are the package's own, the others are what they are compared with (`baselines`). Every call to
the teacher is counted by the ledger; held-out decisions are booked outside the budget.
"""

import resource
import sys
import time
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import nn
from torch.nn import functional

from benchmarks.zero_shot.baselines import buy
from db3kd.acquisition import Disagreement, Rounds
from db3kd.answers import Answers, no_answers
from db3kd.data import Dataset
from db3kd.evaluation import evaluate, mean_logits, never_decided
from db3kd.pipeline.ask_all import ask_held_out
from db3kd.pipeline.ask_pool import AskPool
from db3kd.pipeline.asking import as_seen
from db3kd.pipeline.bought import Bought
from db3kd.pipeline.learn import Fixed, LearnCommittee, Lessons
from db3kd.pipeline.lessons import lessons_for
from db3kd.pipeline.opinions import fitting_candidates
from db3kd.pipeline.settling import committee_architecture, usual_rivals
from db3kd.pipeline.story import CommitteeLesson, Story
from db3kd.pipeline.teach import Teach, recipe_for
from db3kd.pipeline.trial import tried
from db3kd.pools import Pool
from db3kd.pools.priors import FamilySet, Priors, Surrogates
from db3kd.runs import Keeper, key_of
from db3kd.teachers import Teacher
from db3kd.training import Committee, Material, Objective, Recipe

ZeroShotMethod = Literal["active", "priors", "noise", "dip-kd", "repulsion", "repulsion-guided"]

_FORMAT = 4


@dataclass(frozen=True)
class ZeroShotPlan:
    """What is measured.

    Args:
        method: how images are made and chosen.
        calls: to be answered; an interruption loses some more.
        students: architectures; the first one's is the committee's where images are too small for LeNet5.
        epochs: of each student; None for what suits the number of calls.
        families: of the pool: "procedural", or "all" for the pictures that db3kd holds too.
        pictures: of another kind than the teacher's, out of which surrogates are made as well; None for none.
    """

    method: ZeroShotMethod = "active"
    calls: int = 10_000
    students: tuple[str, ...] = ("lenet5", "lenet5-half")
    epochs: int | None = None
    families: FamilySet = "procedural"
    pictures: Dataset | None = None


@dataclass(frozen=True)
class ZeroShotStudent:
    """One student.

    Args:
        name: its architecture.
        accuracy: on the test images, after the last epoch, a fraction of 1; None where they have no labels.
        agreement: share of the test images that it decides as the teacher does.
    """

    name: str
    accuracy: float | None
    agreement: float | None


@dataclass(frozen=True)
class ZeroShot:
    """What a method made of a number of calls.

    Args:
        teacher: its name.
        held_out: name of the data set that students were measured on.
        method: how images were made and chosen.
        families: of made images.
        pictures: name of those that surrogates are made of, or None.
        seed: of all choices.
        committee: of which networks the committee was.
        epochs: of each student, each as long as one of the rounds' students.
        device: where networks were trained and asked.
        planned: calls that were to be made.
        calls: images that the teacher was asked about, as the ledger has them: what an interruption lost in flight is
            among them.
        unique_images: how many of the images that are learned from differ; the probes of a search are not among them.
        students: trained on what the calls brought.
        class_histogram: the teacher's answers by class, for the same images.
        never_decided: the classes that it never gave there; no student knows them.
        seconds: wall time, evaluation included.
        peak_memory_bytes: the most memory that this process has held.
        format: version of this file's form.
    """

    teacher: str
    held_out: str
    method: ZeroShotMethod
    families: FamilySet
    pictures: str | None
    seed: int
    committee: str
    epochs: int
    device: str
    planned: int
    calls: int
    unique_images: int
    students: tuple[ZeroShotStudent, ...]
    class_histogram: tuple[int, ...]
    never_decided: tuple[int, ...]
    seconds: float
    peak_memory_bytes: int
    format: int = _FORMAT


def measure_zero_shot(
    keeper: Keeper, teacher: Teacher, held_out: Dataset, plan: ZeroShotPlan, *, name: str = ""
) -> ZeroShot:
    """Ask a teacher, train the students, and measure them on images that nobody saw.

    Args:
        keeper: keeps all of it, so that an interrupted measurement goes on; its context says where, and the seed.
        teacher: decides.
        held_out: the test images.
        plan: what is measured.
        name: how the figures call the teacher.

    Returns:
        The figures.

    Cost: `plan.calls` queries at most, and what an interruption lost in flight; one for each held-out image, booked
        outside the budget.
    """
    started, context = time.perf_counter(), keeper.context
    wanted = recipe_for(CommitteeLesson(), plan.students[0], plan.calls)
    recipe = replace(wanted, epochs=plan.epochs or wanted.epochs)
    committee = Committee(committee_architecture(plan.students[0], teacher.spec))
    pool: Pool = Priors(teacher.spec.input_shape, families=plan.families)
    if plan.pictures is not None:
        pool = Surrogates(as_seen(plan.pictures, teacher.spec), families=plan.families)
    if plan.method == "active" or plan.method == "priors":  # `in` would not tell mypy which of the methods are left
        committee = replace(committee, rivals=usual_rivals(committee.architecture))
        answers, committee = _ask_rounds(keeper, teacher, pool, committee, plan)
    else:
        answers = buy(keeper, teacher, plan.method, plan.calls, architecture=committee.architecture)
    students = _teach(keeper, answers, pool, committee, plan, recipe)
    decisions = keeper.perform(ask_held_out(teacher, held_out)).decisions
    measured: list[ZeroShotStudent] = []
    for architecture, student in students.items():
        figures = evaluate(student, held_out, decisions=decisions, labels=held_out.labels, device=context.device)
        measured.append(ZeroShotStudent(architecture, figures.accuracy, figures.agreement))
    return ZeroShot(
        teacher=name,
        held_out=held_out.name,
        method=plan.method,
        families=plan.families,
        pictures=None if plan.pictures is None else plan.pictures.name,
        seed=context.seed,
        committee=committee.architecture,
        epochs=recipe.epochs,
        device=context.device,
        planned=plan.calls,
        calls=keeper.run.statement().total,
        unique_images=len(torch.unique(answers.images.pixels.flatten(1), dim=0)),
        students=tuple(measured),
        class_histogram=tuple(answers.histogram().tolist()),
        never_decided=never_decided(answers.histogram()),
        seconds=time.perf_counter() - started,
        peak_memory_bytes=_peak_memory(),
    )


def _ask_rounds(
    keeper: Keeper, teacher: Teacher, pool: Pool, committee: Committee, plan: ZeroShotPlan
) -> tuple[Answers, Committee]:
    """Ask as a run without data does. The rounds bound what is asked: what a kill lost must not end a measurement."""
    rounds = Rounds() if plan.method == "active" else Rounds(opening=1.0)
    story = Story(teacher, pool, rounds=rounds, acquisition=Disagreement(), committee=committee)
    steps = rounds.steps(plan.calls, size=None, channels=teacher.spec.input_shape[0])
    asked = keeper.perform(AskPool(story, keeper.context.seed, steps))
    return asked.answers, tried(committee, asked.answers, asked.opening, keeper)


def _teach(
    keeper: Keeper, answers: Answers, pool: Pool, committee: Committee, plan: ZeroShotPlan, recipe: Recipe
) -> dict[str, nn.Module]:
    """Train a committee on the answers, and students on what it thinks.

    Students of the rounds see candidates without end, which are no part of the other methods: there, they see the
    answered images alone, and as many in all.
    """
    seed = keeper.context.seed
    stage = LearnCommittee("committee", answers, committee, members=committee.members, seed=seed)
    none = no_answers(answers.images.image_shape, answers.num_classes)
    bought, lesson = Bought(answers, none, keeper.perform(stage)), CommitteeLesson()
    lessons: Lessons
    if plan.method in ("active", "priors"):
        lessons, about = lessons_for(lesson, bought, pool, recipe, keeper.context), key_of(lesson)
    else:
        seen = recipe.epochs * (fitting_candidates(len(answers)) + min(lesson.answered, len(answers)))
        recipe = replace(recipe, epochs=max(1, round(seen / len(answers))))
        lessons, about = Fixed(_answered_alone(lesson, bought, keeper)), "answered images alone"
    trained = {}
    for architecture in plan.students:
        name = f"student-{architecture.replace(':', '.')}"
        teaching = Teach(
            name,
            lessons,
            architecture,
            recipe,
            about={"lesson": about},
            digest=bought.digest,
            num_classes=answers.num_classes,
            seed=seed,
        )
        trained[architecture] = keeper.perform(teaching)
    return trained


def _answered_alone(lesson: CommitteeLesson, bought: Bought, keeper: Keeper) -> Material:
    """What a committee thinks of the answered images, drawn towards what the teacher decided."""
    answers = bought.answers
    scores = mean_logits(bought.committee, answers.images.pixels, device=keeper.context.device)
    decided = functional.one_hot(answers.decisions, answers.num_classes).to(scores.dtype)
    thought = torch.lerp((scores / lesson.temperature).softmax(dim=1), decided, lesson.trust)
    return Material(answers.images.pixels, Objective(soft_labels=thought, temperature=lesson.temperature))


def _peak_memory() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts in KiB, macOS in bytes.
    return peak if sys.platform == "darwin" else 1024 * peak
