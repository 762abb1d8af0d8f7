"""What is left open follows from teacher, images and budget, and what cannot be is refused before a query."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest
import torch

from db3kd.acquisition import Disagreement, Margin, Random, Rounds
from db3kd.answers import Answers, Candidates
from db3kd.boundary import (
    BoundaryDistance,
    GuidedDistance,
    Measurement,
    Method,
    MinimalBoundaryDistance,
    SampleDistance,
)
from db3kd.data import from_arrays
from db3kd.errors import InputError, PlanError
from db3kd.pipeline.budget import Budget
from db3kd.pipeline.settling import Wishes, following, settle, settle_measurement
from db3kd.pipeline.story import CommitteeLesson, FixedLesson, Story
from db3kd.pipeline.tell import foretell
from db3kd.pools import ImagePool, Priors
from db3kd.runs import Run
from db3kd.softening import Inverse, Smoothed
from db3kd.tensors import Float, Int, Tensor
from db3kd.training import Committee
from known_teachers import HalfSpace
from made_runs import BD, CLASSES, GUIDED, MEMBERS, NETWORK, PUSHED, SHAPE, Small, images, keeper_of, untouched

WISHES = Wishes(NETWORK, images())
TEACHER = untouched(Small())


def _settled(wishes: Wishes = WISHES, **changes: object) -> Story:
    return settle(replace(wishes, **changes), TEACHER)  # type: ignore[arg-type]  # the tests' own fields


def test_of_images_some_are_chosen_and_a_committee_that_learns_from_all_of_them_teaches() -> None:
    story = _settled(budget=Budget(12))
    assert isinstance(story.pool, ImagePool)
    assert (story.rounds, story.acquisition, story.lesson) == (Rounds.of_pool(), Margin(), CommitteeLesson())
    assert story.committee is not None
    assert (story.committee.members, story.committee.choosers, story.committee.mixtures_per_image) == (4, 2, 0)
    assert story.student.baselines == ()
    by_lot = _settled(acquisition=Random())
    assert (by_lot.rounds.opening, by_lot.rounds.number, by_lot.lesson) == (1.0, 0, CommitteeLesson())


@pytest.mark.parametrize(
    ("side", "student", "committee"),
    [(12, "residual-half", "residual-half"), (28, "lenet5-half", "lenet5"), (64, "residual-half", "residual")],
)
def test_networks_suit_the_size_of_the_images(side: int, student: str, committee: str) -> None:
    teacher = HalfSpace((3, side, side), bounds=(0.0, 1.0))
    story = settle(Wishes(images=from_arrays(torch.zeros(4, 3, side, side, dtype=torch.uint8))), teacher)
    assert story.committee is not None
    assert (story.student.architecture, story.committee.architecture) == (student, committee)


def test_a_budget_beyond_the_pool_pays_for_mixtures() -> None:
    for total, mixtures in ((24, 0.0), (40, 0.0), (41, 2.0), (1000, 2.0)):
        story = _settled(budget=Budget(total))
        assert story.committee is not None
        assert story.committee.mixtures_per_image == mixtures


def test_what_is_taught_changes_nothing_of_what_is_asked() -> None:
    usual, labels = _settled(), _settled(lesson=FixedLesson(Smoothed()))
    assert (labels.rounds, labels.acquisition) == (usual.rounds, usual.acquisition)
    assert not labels.has_members


@pytest.mark.parametrize(
    "changes",
    [
        {"committee": Committee(NETWORK, members=0)},
        {"changes": {"committee": {"members": 0}}},
        {"measurement": BD},
    ],
)
def test_without_a_committee_images_are_asked_by_lot_and_taught_smoothed(changes: dict[str, object]) -> None:
    story = _settled(WISHES, **changes)
    assert (story.rounds, story.acquisition, story.has_members) == (Rounds.once(), Random(), False)
    assert story.lesson == FixedLesson(Smoothed())


def test_without_images_rounds_choose_among_priors_and_opinions_are_taught() -> None:
    story = _settled(Wishes(NETWORK))
    assert isinstance(story.pool, Priors)
    assert (story.rounds, story.acquisition, story.lesson) == (Rounds(), Disagreement(), CommitteeLesson())
    assert story.committee is not None
    assert story.committee.architecture == NETWORK, "such small images are no input of lenet5"
    assert _settled(Wishes(NETWORK, acquisition=Random())).rounds == Rounds(opening=1.0)


def test_two_kinds_of_network_are_tried_without_images_or_in_colour_where_nobody_names_one() -> None:
    gray, colour = (HalfSpace((channels, 28, 28), bounds=(0.0, 1.0)) for channels in (1, 3))
    at_hand = {channels: from_arrays(torch.zeros(4, channels, 28, 28, dtype=torch.uint8)) for channels in (1, 3)}
    named: Mapping[str, Mapping[str, object]] = {"committee": {"architecture": "lenet5-half"}}
    for teacher, wishes, tried in (
        (gray, Wishes(), True),
        (gray, Wishes(changes=named), False),
        (gray, Wishes(images=at_hand[1]), False),
        (colour, Wishes(images=at_hand[3]), True),
        (colour, Wishes(images=at_hand[3], changes=named), False),
    ):
        committee = settle(wishes, teacher).committee
        assert committee is not None
        assert committee.rivals == (("residual-half",) if tried else ())
        assert committee.architecture == wishes.changes.get("committee", {}).get("architecture", "lenet5")


def test_a_student_that_nobody_named_is_built_as_its_committee_turned_out_to_be() -> None:
    teacher = HalfSpace((1, 28, 28), bounds=(0.0, 1.0))
    for named, taken, student in (
        (None, "lenet5", "lenet5-half"),
        (None, "residual-half", "residual-half"),
        ("lenet5-fifth", "residual-half", "lenet5-fifth"),
    ):
        story = settle(Wishes(named), teacher)
        assert story.committee is not None
        assert following(story, story.committee.of(taken)).student.architecture == student


def test_choosing_among_images_takes_a_committee_that_pushes_none() -> None:
    story = _settled(acquisition=Disagreement())
    assert story.committee is not None
    assert story.rounds == Rounds.of_pool()


@pytest.mark.parametrize(
    ("labelled", "expected"), [(True, ("true-labels", "hard-decisions")), (False, ("hard-decisions",))]
)
def test_baselines_stand_beside_a_student_that_is_measured(labelled: bool, expected: tuple[str, ...]) -> None:
    held_out = images(5, seed=2)
    assert _settled(images=images(labelled=labelled), held_out=held_out).student.baselines == expected
    assert _settled(images=images(labelled=labelled), held_out=held_out, baselines=()).student.baselines == ()
    assert _settled(images=images(labelled=labelled)).student.baselines == ()


def test_a_guided_search_gets_a_committee() -> None:
    assert _settled(measurement=BD).committee is None
    guided = _settled(measurement=GUIDED)
    assert guided.committee is not None
    assert guided.has_members


@pytest.mark.parametrize("allowance", [None, 0, 5, 21, 40, 1000, 10**6])
@pytest.mark.parametrize(
    "method", [SampleDistance(), BoundaryDistance(), MinimalBoundaryDistance(), GuidedDistance()], ids=lambda m: m.name
)
def test_the_search_fits_what_the_budget_leaves(tmp_path: Path, method: Method, allowance: int | None) -> None:
    pairs, asked = 24 * (CLASSES - 1), 24
    budget = Budget(None if allowance is None else asked + pairs * allowance)
    story = _settled(measurement=Measurement(method), committee=MEMBERS, budget=budget)
    with Run(tmp_path) as run:
        keeper = keeper_of(run)
        chosen = settle_measurement(story, 24, keeper)
        assert chosen is not None
        assert chosen.queries_per_pair is not None
        assert chosen.queries <= (method.usual_queries if allowance is None else allowance)
        least = 10 if method.guided else BoundaryDistance(exemplars=1).usual_queries
        enough = allowance is None or allowance >= min(least, method.usual_queries)
        assert chosen.method == (method if enough else SampleDistance())
        # A budget that is raised to go on does not change the search, unless it could pay none before.
        keeper.declare(foretell(story, keeper))
        raised = replace(story, budget=Budget(10**9))
        usual = Measurement(method, queries_per_pair=method.usual_queries)
        assert settle_measurement(raised, 24, keeper) == (chosen if enough else usual)


def test_what_was_said_of_a_search_holds(tmp_path: Path) -> None:
    with Run(tmp_path) as run:
        assert settle_measurement(_settled(measurement=BD, budget=Budget(3)), 24, keeper_of(run)) == BD
        assert settle_measurement(_settled(), 24, keeper_of(run)) is None


class _Unnamed:
    name, committee = "unnamed", False

    def choose(
        self,
        candidates: Candidates,
        beliefs: Float[Tensor, "k n num_classes"],
        answers: Answers,
        count: int,
        generator: torch.Generator,
    ) -> Int[Tensor, " b"]:
        return torch.arange(len(candidates))[:count]


class _Named(_Unnamed):
    key: ClassVar[dict[str, object]] = {"type": "first"}


def test_an_acquisition_of_ones_own_says_what_it_is() -> None:
    assert _settled(acquisition=_Named()).acquisition.name == "unnamed"
    with pytest.raises(PlanError, match="_Unnamed cannot be told from another one"):
        _settled(acquisition=_Unnamed())


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"images": from_arrays(torch.rand(5, 1, 7, 6))}, r"takes images of shape \(1, 6, 6\)"),
        ({"images": from_arrays(torch.rand(0, 1, 6, 6))}, "holds no image"),
        ({"held_out": from_arrays(torch.rand(5, 1, 7, 6))}, r"takes images of shape \(1, 6, 6\)"),
        (
            {"images": from_arrays(torch.rand(5, 1, 6, 6), torch.arange(5)), "baselines": ("true-labels",)},
            "knows 3 classes.*go up to 4",
        ),
        ({"held_out": from_arrays(torch.rand(5, 1, 6, 6), torch.arange(5))}, "knows 3 classes.*go up to 4"),
        ({"architecture": "lenet6"}, "unknown"),
        ({"committee": replace(MEMBERS, architecture="lenet6")}, "unknown"),
        ({"lesson": FixedLesson(classes="true")}, "needs images with labels"),
        ({"lesson": FixedLesson(Inverse())}, "needs distances, and no search"),
        ({"lesson": FixedLesson(queries_per_pair=11), "measurement": BD}, r"snapshots \[10\]"),
        ({"lesson": FixedLesson(mixtures=True)}, "to hold mixtures"),
        ({"lesson": FixedLesson(mixtures=True), "committee": MEMBERS}, r"committee\.mixtures_per_image"),
        ({"lesson": CommitteeLesson(), "pool": PUSHED, "committee": MEMBERS}, "and a pool of images"),
        ({"pool": replace(PUSHED, committee=replace(MEMBERS, architecture="lenet6"))}, "unknown"),
    ],
)
def test_what_does_not_fit_is_refused_before_a_query(changes: dict[str, object], fault: str) -> None:
    with pytest.raises(InputError, match=fault):
        _settled(WISHES, **changes)


@pytest.mark.parametrize("pool", [None, ImagePool(from_arrays(torch.rand(9, 1, 8, 8)))])
def test_one_answer_is_too_few_for_a_network_with_batch_norm_and_two_are_not(pool: ImagePool | None) -> None:
    teacher = untouched(Small((1, 8, 8)))
    for wishes in (Wishes(pool=pool), Wishes("residual-half", pool=pool, lesson=FixedLesson(Smoothed()))):
        with pytest.raises(InputError, match="'residual-half' learns from two answers or more"):
            settle(replace(wishes, budget=Budget(1)), teacher)
        settle(replace(wishes, budget=Budget(2)), teacher)
    settle(Wishes(NETWORK, pool=pool, committee=MEMBERS, budget=Budget(1)), teacher)


def test_a_pool_of_one_image_is_too_small_for_a_network_with_batch_norm() -> None:
    teacher, pool = untouched(Small((1, 8, 8))), ImagePool(from_arrays(torch.rand(1, 1, 8, 8)))
    with pytest.raises(InputError, match=r"the pool holds one image.*name more images"):
        settle(Wishes(pool=pool, budget=Budget(100)), teacher)
    settle(Wishes(NETWORK, pool=pool, committee=MEMBERS, budget=Budget(100)), teacher)


def test_other_bounds_than_those_of_images_are_refused_before_a_query() -> None:
    teacher = untouched(HalfSpace(SHAPE))
    for wishes in (WISHES, Wishes(NETWORK), Wishes(NETWORK, pool=PUSHED)):
        with pytest.raises(InputError, match=r"bounds are \(-100\.0, 100\.0\)"):
            settle(wishes, teacher)
