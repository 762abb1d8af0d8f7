"""The story in its order: ask, learn, measure, teach, conclude. A stage whose files are there is not done again.

`buy` does what spends, `teach_students` what learns from it, `tell` all of it. `foretell` names the same stages
beforehand. Called by `db3kd.api` and by the commands.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import torch
from torch import nn

from db3kd.acquisition import Step
from db3kd.answers import Answers
from db3kd.boundary import Guide
from db3kd.errors import BudgetExhausted
from db3kd.evaluation import Gain
from db3kd.models.placement import find_device
from db3kd.pipeline import measure, repel
from db3kd.pipeline.ask_again import REPEATS, AskAgain, Repeats
from db3kd.pipeline.ask_all import HELD_OUT, MIXTURES, ask_mixtures
from db3kd.pipeline.ask_pool import Asked, AskPool
from db3kd.pipeline.asking import ANSWERS, nothing_to_learn
from db3kd.pipeline.bought import Bought
from db3kd.pipeline.gains import compare
from db3kd.pipeline.growth import check_growth, is_built_upon, most_mixtures
from db3kd.pipeline.kept import KeepAnswers
from db3kd.pipeline.learn import COMMITTEE, LearnCommittee, choosers, outline_of
from db3kd.pipeline.lessons import baseline_lessons, lessons_for
from db3kd.pipeline.measure import Measured, MeasureDistances, guide_by, guide_seconds
from db3kd.pipeline.push import foretell_push, push
from db3kd.pipeline.rounds import NAME, plan_rounds
from db3kd.pipeline.settling import following, settle_measurement
from db3kd.pipeline.story import FixedLesson, Pushed, Story, Taken
from db3kd.pipeline.teach import STUDENT, Teach, settled_recipe, taught
from db3kd.pipeline.trial import tried
from db3kd.report.figures import RepulsionFigures
from db3kd.runs import Keeper, Outline, Part, key_of, numbered_part, timed
from db3kd.training import Committee

_log = logging.getLogger(__name__)

Until = Literal["answers", "distances"]


@dataclass(frozen=True, eq=False)
class Purchase:
    """What the stages that spend brought, and how."""

    bought: Bought
    gains: tuple[Gain, ...] = ()
    ended: str = "all"
    planned: int = 0
    rounds: tuple[Step, ...] = ()
    measured: Measured | None = None
    repeats: Repeats | None = None
    made: repel.Made | None = None
    committee: Committee | None = None

    @property
    def repulsion(self) -> RepulsionFigures | None:
        """Figures of how images were pushed."""
        return None if self.made is None else self.made.figures


def buy(story: Story, keeper: Keeper, *, until: Until | None = None) -> Purchase:
    """Do all that spends, and what it needs.

    Cost: what `foretell` says, at most.
    """
    # It is needed only when the first networks learn, and answers were paid by then.
    find_device(keeper.context.device)
    keeper.run.adopt_teacher(story.teacher.spec)
    outlines, seed = foretell(story, keeper), keeper.context.seed
    keeper.declare(outlines)
    made = None
    if isinstance(story.pool, Pushed):
        made = push(story, story.pool, keeper)
        asked = Asked(keeper.perform(KeepAnswers(made.answers)))
    elif isinstance(story.pool, Taken):
        asked = Asked(keeper.perform(KeepAnswers(story.pool.answers)))
    else:
        asked = keeper.perform(AskPool(story, seed, plan_rounds(story, keeper)))
    planned = sum(outline.queries for outline in outlines if outline.name == "answers") or len(asked.answers)
    answers, none = asked.answers, asked.answers.take(asked.answers.learned()[:0])
    _check_bought(story, answers, keeper)
    if until == "answers":
        return Purchase(Bought(answers, none), asked.gains, asked.ended, planned, asked.rounds, made=made)
    # What comes after a stage that the total has cut short would be bought for other answers than those still to come.
    whole = asked.ended != "budget" or not _is_spent(story, keeper) or is_built_upon(NAME, keeper)
    mixtures, members, mixed = none, tuple[nn.Module, ...](), True
    if story.committee is not None:
        story = replace(story, committee=tried(story.committee, answers, asked.opening, keeper, story.images))
    if story.has_members and (until is None or _spends_after(story)):
        mixtures, members, mixed = _learn(story, answers, keeper, asking=whole)
    gains = (*asked.gains, *_last_gain(story, asked, members, keeper))
    measured = _measure(story, answers, members, keeper, asking=whole and mixed)
    distances = None if measured is None else measured.distances
    bought = Bought(answers, mixtures, members, distances)
    repeats = None
    if until is None and story.budget.repeats and made is None and whole and (measured is None or measured.whole):
        repeats = keeper.perform(AskAgain(story.teacher, answers, story.budget))
    return Purchase(bought, gains, asked.ended, planned, asked.rounds, measured, repeats, made, story.committee)


def teach_students(story: Story, keeper: Keeper, bought: Bought, planned: int) -> dict[str, nn.Module]:
    """Train the student and its baselines; no query is spent."""
    context, pool = keeper.context, None if isinstance(story.pool, Pushed | Taken) else story.pool
    student, own = story.student, own_name(story)
    recipe, preset = settled_recipe(story, planned), settled_recipe(replace(story, lesson=FixedLesson()), planned)
    asked = {"recipe": key_of(student.asked)}
    teach = partial(Teach, architecture=student.architecture, num_classes=bought.answers.num_classes, seed=context.seed)
    students: dict[str, nn.Module] = {}
    for name, lesson in baseline_lessons(bought.answers, student.baselines).items():
        about, digest = {**asked, "lesson": name}, bought.answers.digest
        students[name] = keeper.perform(teach(name, lesson, recipe=preset, about=about, digest=digest))
    most = None if story.images is None else taught(student.architecture, story.images)
    lessons = lessons_for(story.lesson, bought, pool, recipe, context, most=most)
    about = {**asked, "lesson": key_of(story.lesson)}
    students[own] = keeper.perform(teach(STUDENT, lessons, recipe=recipe, about=about, digest=bought.digest))
    return students


def own_name(story: Story) -> str:
    """Tell what reports call the run's own student: what it learned from."""
    if not isinstance(story.lesson, FixedLesson):
        return "opinions"
    if story.lesson.softening.needs == "distances" and story.measurement is not None:
        return story.measurement.method.name
    return {"smoothed": "smoothed-decisions"}.get(story.lesson.softening.name, story.lesson.softening.name)


def foretell(story: Story, keeper: Keeper) -> tuple[Outline, ...]:
    """Name the stages of a run beforehand, with what they cost at most; nothing is written or asked.

    A RunMismatch where the run would outgrow what it has bought: see `check_growth`.
    """
    spec, pool, seed = story.teacher.spec, story.pool, keeper.context.seed
    stages: list[Outline] = []
    if isinstance(pool, Pushed):
        stages += foretell_push(story, pool, keeper)
        questions = pool.starts(spec.num_classes) * len(pool.repulsion.keep)
    elif isinstance(pool, Taken):
        stages.append(KeepAnswers(pool.answers).outline)
        questions = len(pool.answers)
    else:
        asking = AskPool(story, seed, plan_rounds(story, keeper)).outline
        stages.append(asking)
        questions = asking.queries
        if doubt := story.rounds.doubt(questions, size=pool.size):
            _log.warning(doubt)
    committee = story.committee
    if committee is not None and story.has_members:
        mixed = committee.mixtures_for(questions)
        mixed = mixed if (most := story.budget.most_mixtures(questions, spent=questions)) is None else min(mixed, most)
        stages += [Outline(MIXTURES, (Part(MIXTURES, mixed),))] if mixed else []
        recipe = committee.recipe_for(questions + mixed, story.images)
        stages.append(outline_of(COMMITTEE, committee.members, recipe))
    settled = settle_measurement(story, questions, keeper)
    if settled is not None:
        stages.append(measure.outline_of(questions, spec.input_shape, spec.num_classes, settled))
    if story.budget.repeats and not isinstance(pool, Pushed):
        total = story.budget.total
        left = questions if total is None else max(0, total - sum(stage.queries for stage in stages))
        again = min(story.budget.repeats, questions, left)
        stages += [Outline(REPEATS, (Part(REPEATS, again),))] if again else []
    recipe, preset = settled_recipe(story, questions), settled_recipe(replace(story, lesson=FixedLesson()), questions)
    stages += [Outline(name, (Part(name, epochs=preset.epochs),)) for name in story.student.baselines]
    stages.append(Outline(STUDENT, (Part(STUDENT, epochs=recipe.epochs),)))
    if story.held_out is not None:
        stages.append(Outline(HELD_OUT, (Part(HELD_OUT, len(story.held_out)),), held_out=True))
    check_growth(story, stages, keeper)
    return tuple(stages)


def _check_bought(story: Story, answers: Answers, keeper: Keeper) -> None:
    """Refuse to go on with nothing to learn."""
    if len(answers.learned()):
        return
    if len(answers):
        raise nothing_to_learn(answers, story.teacher.spec)
    limits = (story.budget.total, story.budget.stages.get(NAME))
    raise BudgetExhausted(
        NAME, 1, keeper.run.statement().total, min((limit for limit in limits if limit is not None), default=0)
    )


def _spends_after(story: Story) -> bool:
    """Whether the committee is needed for something that spends."""
    assert story.committee is not None, "asked of a story that has members"
    return story.measurement is not None or story.committee.mixtures_per_image > 0


def _is_spent(story: Story, keeper: Keeper) -> bool:
    """Whether the total leaves less than a call."""
    total = story.budget.total
    return total is not None and total - keeper.run.statement().total < story.teacher.spec.max_batch


def _learn(
    story: Story, answers: Answers, keeper: Keeper, *, asking: bool
) -> tuple[Answers, tuple[nn.Module, ...], bool]:
    """Ask about mixtures, and train the committee: mixtures, members, and whether all mixtures are answered."""
    committee, seed = story.committee, keeper.context.seed
    assert committee is not None, "a story that has members has a committee"
    known = answers.known()
    mixtures, count, most = known.take(torch.arange(0)), committee.mixtures_for(len(known)), None
    if count and asking:
        most = most_mixtures(story.budget, len(known), keeper)
        mixtures = keeper.perform(ask_mixtures(story.teacher, known, count, budget=story.budget, seed=seed, most=most))
    learned = answers.joined(mixtures)
    stage = LearnCommittee(COMMITTEE, learned, committee, members=committee.members, seed=seed, pool=story.images)
    cut_short = len(mixtures) < count and ((most is not None and most < count) or _is_spent(story, keeper))
    return mixtures, keeper.perform(stage), not cut_short or is_built_upon(MIXTURES, keeper)


def _measure(
    story: Story, answers: Answers, members: Sequence[nn.Module], keeper: Keeper, *, asking: bool
) -> Measured | None:
    settled = settle_measurement(story, len(answers), keeper)
    if settled is None:
        return None
    decided = answers.known()
    guide: Guide | None = None
    if settled.method.guided and members and story.committee is not None:
        guide = guide_by("subspace", members, decided, story.committee.subspace, keeper)
    stage = MeasureDistances(
        story.teacher, decided, settled, guide=guide, budget=story.budget, seed=keeper.context.seed
    )
    if stage.outline.queries and not asking:
        return stage.join(())
    if story.measurement != settled:
        # The budget could not pay the search that is wanted, and now it does.
        keeper.give_way(stage.outline)
    measured = keeper.perform(stage)
    return measured if guide is None else replace(measured, seconds=guide_seconds(guide, keeper))


def _last_gain(story: Story, asked: Asked, members: Sequence[nn.Module], keeper: Keeper) -> list[Gain]:
    """What the committee that teaches knows more than the one that chose last; it has learned for longer too."""
    answers, number = asked.answers, keeper.count(NAME) - 1
    if not members or asked.ended != "all" or not keeper.count(f"choosers-{number}"):
        return []
    last = keeper.look(numbered_part(NAME, number), ANSWERS)
    assert last is not None, "it was counted"
    since = len(answers) - len(last.tensors["decisions"])
    assert story.committee is not None, "it has members"
    earlier = answers.take(torch.arange(since))
    chose = keeper.perform(choosers(number, earlier, story.committee, story.images, seed=keeper.context.seed))
    return compare(answers, chose, members, keeper, since=since, learned_longer=True)


def tell(story: Story, keeper: Keeper) -> tuple[Purchase, dict[str, nn.Module]]:
    """Do all that is still to be done of a story but the report."""
    with timed(keeper.run):
        purchase = buy(story, keeper)
        taught = following(story, purchase.committee)
        return purchase, teach_students(taught, keeper, purchase.bought, purchase.planned)
