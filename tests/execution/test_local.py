"""A shard holds the truth of its images: the teacher's own classes, the distances to all others, and what they cost."""

from pathlib import Path

import pytest
import torch

from db3kd.boundary import ExemplarPool, Outcome
from db3kd.boundary.methods import BoundaryDistance, Method, SampleDistance
from db3kd.data import Dataset, from_arrays
from db3kd.execution import Labelling, Remembering, make_shard
from db3kd.execution.local import Keeping
from db3kd.ledger import Ledger
from db3kd.oracle import Oracle
from db3kd.runs import Journal
from db3kd.teachers import Teacher
from db3kd.tensors import Int, Tensor
from db3kd.transfer import OWN_CLASS
from known_teachers import Counting, Sectors
from questions import SHORT, draw_images

TEACHER = Sectors(classes=4)
ROWS = torch.arange(6)


def _dataset(labels: Int[Tensor, " n"] | None = None) -> Dataset:
    return from_arrays(draw_images(TEACHER, 40), labels, name="made")


def _make(
    dataset: Dataset, oracle: Teacher, method: Method, *, examples: int = 0, snapshots: tuple[int, ...] = ()
) -> dict[str, Tensor]:
    decisions = TEACHER(dataset.images())
    pool = ExemplarPool(dataset, decisions, num_classes=4)
    labelling = Labelling(method, 120, snapshots=snapshots)
    return make_shard(oracle, dataset.subset(ROWS), decisions[ROWS], pool, labelling, examples=examples)


def test_a_shard_has_a_column_for_every_class_and_leaves_out_the_teachers_own() -> None:
    dataset = _dataset()
    counting = Counting(TEACHER)
    shard = _make(dataset, counting, SHORT, snapshots=(20, 0))
    assert set(shard) == {"distances", "queries", "outcomes", "snapshots.0", "snapshots.20"}
    own = torch.nn.functional.one_hot(TEACHER(dataset.images(ROWS)), 4).bool()
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
    shard, reference = (_make(_dataset(labels), TEACHER, method) for labels in (wrong, right))
    assert shard.keys() == reference.keys()
    for name, values in reference.items():
        assert torch.equal(shard[name], values)
    # The class that the data set names is searched like any other.
    named = shard["distances"][ROWS, wrong[ROWS]]
    assert named.isfinite().all()
    assert (named > 1e-3).all()
    assert shard["distances"][ROWS, right[ROWS]].isinf().all()
    assert (shard["queries"] <= 120).all()


def test_a_class_without_an_exemplar_costs_nothing_and_stands_at_infinity() -> None:
    dataset = _dataset()
    kept = dataset.subset((TEACHER(dataset.images()) != 2).nonzero()[:, 0])
    shard = _make(kept, TEACHER, SHORT)
    assert shard["distances"][:, 2].isinf().all()
    assert (shard["outcomes"][:, 2] == Outcome.NO_START).all()
    assert (shard["queries"][:, 2] == 0).all()
    assert (shard["queries"].sum(1) > 0).all()


def test_examples_are_the_nearest_crossings_of_the_first_images() -> None:
    dataset = _dataset()
    shard = _make(dataset, TEACHER, SHORT, examples=3)
    points = shard["example_points"]
    assert points.shape == (3, *TEACHER.shape)
    lengths = torch.linalg.vector_norm((points - dataset.images(ROWS[:3])).flatten(1), dim=1)
    assert torch.equal(lengths, shard["distances"][:3].amin(1))
    nearest = shard["distances"][:3].argmin(1)
    assert torch.equal(TEACHER(points), nearest)
    assert _make(dataset, TEACHER, SHORT, examples=99)["example_points"].shape[0] == 6


def test_what_a_journal_remembers_is_not_asked_again(tmp_path: Path) -> None:
    images = draw_images(TEACHER, 300)
    with Ledger(None) as ledger, ledger.account("label") as account:
        counting = Counting(TEACHER)
        oracle = Oracle(counting, account)
        with Journal(tmp_path / "journal", b"here") as journal:
            first = Remembering(oracle, journal)(images[:256])
            assert counting.rows == 256
        with Journal(tmp_path / "journal", b"here") as journal:
            remembering = Remembering(oracle, journal)
            assert torch.equal(remembering(images[:256]), first)
            assert (counting.rows, journal.replayed) == (256, 256)
            assert torch.equal(remembering(images[256:]), TEACHER(images[256:]))
            assert counting.rows == account.spent == 300


def test_an_answer_to_another_question_is_not_taken_for_it(tmp_path: Path) -> None:
    images, others = draw_images(TEACHER, 60), draw_images(TEACHER, 60, seed=1)
    with Ledger(None) as ledger, ledger.account("label") as account:
        oracle = Oracle(TEACHER, account)
        with Journal(tmp_path / "journal", b"here") as journal:
            Remembering(oracle, journal)(images)
        with Journal(tmp_path / "journal", b"here") as journal:
            assert torch.equal(Remembering(oracle, journal)(others), TEACHER(others))
        assert account.spent == 120


def test_probes_are_kept_with_the_answers_that_they_got() -> None:
    teacher, images = Sectors(), draw_images(Sectors(), 12)
    shard = from_arrays(images, name="drawn")
    pool = ExemplarPool(shard, teacher(images), num_classes=teacher.classes)
    kept = make_shard(teacher, shard, teacher(images), pool, Labelling(BoundaryDistance(), 40), probes=50)
    assert len(kept["probe_points"]) == len(kept["probe_decisions"]) == 50
    assert torch.equal(teacher(kept["probe_points"]), kept["probe_decisions"])
    assert len(kept["probe_points"].flatten(1).unique(dim=0)) > 40


def test_every_point_is_as_likely_to_be_kept() -> None:
    teacher = Sectors()
    points = draw_images(teacher, 400)
    counts = torch.zeros(400)
    for seed in range(200):
        keeping = Keeping(teacher, 40, seed)
        for batch in points.split(90):
            keeping(batch)
        counts += (points[:, None] == keeping.points[None]).flatten(2).all(dim=2).any(dim=1)
    assert counts.sum() == 200 * 40
    early, late = counts[:200].mean(), counts[200:].mean()
    assert abs(early - late) < 0.1 * counts.mean()


def test_fewer_probes_than_may_be_kept_are_all_kept() -> None:
    keeping = Keeping(Sectors(), 40, 0)
    keeping(draw_images(Sectors(), 7))
    assert len(keeping.points) == 7
