"""Measured distances hold the truth: the teacher's own classes, the distances to all others, and what they cost."""

from dataclasses import replace

import pytest
import torch

from db3kd.boundary import (
    OWN_CLASS,
    BoundaryDistance,
    Distances,
    ExemplarPool,
    GuidedDistance,
    Measurement,
    Method,
    Outcome,
    SampleDistance,
    measure_shard,
)
from db3kd.context import Context
from db3kd.data import Dataset, from_arrays
from db3kd.errors import InputError, PlanError
from db3kd.teachers import Teacher
from db3kd.tensors import Int, Tensor
from known_teachers import Counting, Sectors, draw_images
from questions import SHORT

TEACHER = Sectors(classes=4)
ROWS = torch.arange(6)


def _dataset(labels: Int[Tensor, " n"] | None = None) -> Dataset:
    return from_arrays(draw_images(TEACHER, 40), labels, name="made")


def _measure(
    images: Dataset,
    oracle: Teacher = TEACHER,
    method: Method = SHORT,
    *,
    rows: Int[Tensor, " b"] = ROWS,
    snapshots: tuple[int, ...] = (),
    examples: int = 0,
    seed: int = 0,
) -> dict[str, Tensor]:
    decisions = TEACHER(images.images())
    exemplars = ExemplarPool(images, decisions, num_classes=4)
    how = Measurement(method, 60, snapshots)
    shard = images.subset(rows)
    return measure_shard(oracle, shard, decisions[rows], exemplars, how, examples=examples, context=Context(seed=seed))


def test_a_shard_has_a_column_for_every_class_and_leaves_out_the_teachers_own() -> None:
    images, counting = _dataset(), Counting(TEACHER)
    shard = _measure(images, counting, snapshots=(0, 20))
    assert set(shard) == {"distances", "queries", "outcomes", "snapshots.0", "snapshots.20"}
    own = torch.nn.functional.one_hot(TEACHER(images.images(ROWS)), 4).bool()
    for name in ("distances", "snapshots.0", "snapshots.20"):
        assert shard[name].shape == (6, 4)
        assert torch.equal(shard[name].isinf(), own)
    assert torch.equal(shard["outcomes"] == OWN_CLASS, own)
    assert (shard["queries"][own] == 0).all()
    assert int(shard["queries"].sum()) == counting.rows
    assert (shard["distances"] <= shard["snapshots.20"]).all()
    assert (shard["snapshots.20"] <= shard["snapshots.0"]).all()


@pytest.mark.parametrize("method", [SampleDistance(), BoundaryDistance(), SHORT], ids=["sd", "bd", "mbd"])
def test_an_image_that_the_data_set_calls_otherwise_is_what_the_teacher_says_it_is(method: Method) -> None:
    """In the reference implementation the own class is the data set's: an image that the teacher misjudges is searched
    for tens of thousands of queries at a distance near zero, and exemplars of the wrong class are started from."""
    right = TEACHER(draw_images(TEACHER, 40))
    wrong = (right + 1) % 4
    shard, reference = (_measure(_dataset(labels), method=method) for labels in (wrong, right))
    assert shard.keys() == reference.keys()
    for name, values in reference.items():
        assert torch.equal(shard[name], values)
    # The class that the data set names is searched like any other.
    named = shard["distances"][ROWS, wrong[ROWS]]
    assert named.isfinite().all()
    assert (named > 1e-3).all()
    assert shard["distances"][ROWS, right[ROWS]].isinf().all()
    assert (shard["queries"] <= 60).all()


def test_a_class_without_an_exemplar_costs_nothing_and_stands_at_infinity() -> None:
    images = _dataset()
    shard = _measure(images.subset((TEACHER(images.images()) != 2).nonzero()[:, 0]))
    assert shard["distances"][:, 2].isinf().all()
    assert (shard["outcomes"][:, 2] == Outcome.NO_START).all()
    assert (shard["queries"][:, 2] == 0).all()
    assert (shard["queries"].sum(1) > 0).all()


def test_examples_are_the_nearest_crossings_of_the_first_images() -> None:
    images = _dataset()
    shard = _measure(images, examples=3)
    points = shard["example_points"]
    assert points.shape == (3, *TEACHER.shape)
    lengths = torch.linalg.vector_norm((points - images.images(ROWS[:3])).flatten(1), dim=1)
    assert torch.equal(lengths, shard["distances"][:3].amin(1))
    assert torch.equal(TEACHER(points), shard["distances"][:3].argmin(1))
    assert _measure(images, examples=99)["example_points"].shape[0] == 6


def test_shards_put_together_are_what_one_shard_of_all_is() -> None:
    images = _dataset()
    shards = [_measure(images, snapshots=(5, 50), rows=rows, examples=2) for rows in ROWS.split(4)]
    whole = _measure(images, snapshots=(5, 50))
    joined = Distances.from_tensors(images.ids[:6], shards, "mbd")
    assert joined.tensors().keys() == whole.keys()
    for name, values in joined.tensors().items():
        assert torch.equal(values, whole[name]), name
    again = Distances.from_tensors(joined.ids, [joined.tensors()], joined.method)
    assert (again.ids, again.method, len(again), again.num_classes) == (images.ids[:6], "mbd", 6, 4)
    assert again.cost == int(whole["queries"].sum())


def test_another_seed_draws_other_directions() -> None:
    one, same, other = (_measure(_dataset(), seed=seed)["distances"] for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_a_guided_method_hands_on_what_rows_leave_over() -> None:
    shard = _measure(_dataset(), method=GuidedDistance(directions=5, patience=1))
    assert (shard["queries"] > 60).any()
    assert (shard["queries"].sum(1) <= 3 * 60).all()


def _distances() -> Distances:
    generator = torch.Generator().manual_seed(0)
    distances = torch.rand(3, 4, generator=generator)
    queries = torch.randint(1, 100, (3, 4), generator=generator)
    snapshots = {50: distances * 2, 9: distances * 3}
    return Distances(("a", "b", "c"), distances, queries, torch.zeros_like(queries), "mbd", snapshots)


def test_a_snapshot_holds_the_distances_of_that_moment_at_no_more_than_its_queries() -> None:
    made = _distances()
    early = made.at(9)
    assert torch.equal(early.distances, made.snapshots[9])
    assert torch.equal(early.queries, made.queries.clamp(max=9))
    assert early.ids == made.ids
    assert not early.snapshots
    # The whole is left as it was.
    assert set(made.snapshots) == {50, 9}
    assert int(made.queries.max()) > 9


def test_a_snapshot_that_was_not_taken_is_refused_naming_those_that_were() -> None:
    with pytest.raises(InputError, match=r"no snapshot at 10 .* kept: 9, 50"):
        _distances().at(10)
    with pytest.raises(InputError, match="kept: none"):
        replace(_distances(), snapshots={}).at(9)


def test_images_that_were_not_measured_lie_at_infinity() -> None:
    made = _distances()
    aligned = made.of(["c", "new", "a"])
    assert torch.equal(aligned[[0, 2]], made.distances[[2, 0]])
    assert aligned[1].isinf().all()
    assert made.of([]).shape == (0, 4)


def test_ids_must_be_as_many_as_distances() -> None:
    with pytest.raises(InputError, match="3 images with distances need as many ids, got 1"):
        replace(_distances(), ids=("a",))


def test_a_measurement_takes_what_is_usual_of_its_method() -> None:
    assert Measurement(SHORT).queries == 1000
    assert Measurement(GuidedDistance(), 7).queries == 7
    bd = BoundaryDistance(exemplars=3)
    assert Measurement(bd).queries == bd.most_queries


@pytest.mark.parametrize("snapshots", [(20, 10), (10, 10), (10, 50)])
def test_snapshots_ascend_and_lie_below_the_queries(snapshots: tuple[int, ...]) -> None:
    with pytest.raises(PlanError, match="must ascend and lie below the 50 queries"):
        Measurement(SHORT, 50, snapshots)
