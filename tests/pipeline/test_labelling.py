"""A labelling that was interrupted anywhere ends as if it had not been, and no row of it is paid twice."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from db3kd.boundary.methods import BoundaryDistance, Method, SampleDistance
from db3kd.data import Dataset, from_arrays
from db3kd.errors import ArtifactError, BudgetExhausted, RunMismatch, TeacherError
from db3kd.execution import Labelling
from db3kd.pipeline import Budget, asking
from db3kd.pipeline.asking import decide
from db3kd.pipeline.labelling import TRANSFER, label, read_shard
from db3kd.runs import Run
from db3kd.teachers import Teacher
from db3kd.transfer import TransferSet, transfer_from_bytes
from known_teachers import Counting, Failing, Flaky, Sectors
from questions import SHORT, draw_images

IMAGES, SHARDS = 9, 3
CAP = 60
NO_LIMIT = Budget()


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "_MOST_IMAGES_PER_SHARD", IMAGES // SHARDS)


def _teacher() -> Sectors:
    return Sectors(shape=(1, 6, 6), classes=3)


def _images(seed: int = 0) -> Dataset:
    return from_arrays(draw_images(_teacher(), IMAGES, seed=seed), torch.arange(IMAGES) % 3, name="made")


def _how(method: Method = SHORT, *, seed: int = 0) -> Labelling:
    return Labelling(method, CAP, snapshots=(20,), seed=seed)


def _label(
    folder: Path,
    teacher: Teacher,
    images: Dataset | None = None,
    *,
    how: Labelling | None = None,
    budget: Budget = NO_LIMIT,
) -> TransferSet:
    with Run(folder) as run:
        return label(run, teacher, images or _images(), how or _how(), budget=budget)


def _spent(folder: Path) -> int:
    with Run(folder) as run:
        return run.statement().total


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, Counting]:
    """The bytes of a labelling that ran through, and what its teacher saw."""
    folder, counting = tmp_path_factory.mktemp("runs") / "whole", Counting(_teacher())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asking, "_MOST_IMAGES_PER_SHARD", IMAGES // SHARDS)
        _label(folder, counting)
    return (folder / TRANSFER).read_bytes(), counting


def test_a_labelling_books_what_the_teacher_saw_and_leaves_no_journal(tmp_path: Path) -> None:
    counting = Counting(_teacher())
    transfer = _label(tmp_path, counting)
    with Run(tmp_path) as run:
        statement = run.statement()
    assert statement.by_stage == {"decisions": IMAGES, "label": int(transfer.queries.sum())}
    assert statement.total == counting.rows
    assert statement.unsettled == 0
    assert torch.equal(transfer.decisions, _teacher()(_images().images()))
    assert list(tmp_path.rglob("*.journal")) == []
    assert transfer.provenance["method"] == "mbd"
    assert list(transfer.snapshots) == [20]


def test_once_more_reads_the_file_and_asks_nothing(tmp_path: Path) -> None:
    first = _label(tmp_path, _teacher())
    again = _label(tmp_path, Failing(_teacher(), 1, lambda: AssertionError("the teacher was asked")))
    assert again.to_bytes() == first.to_bytes()


def test_the_size_of_a_shard_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uninterrupted: tuple[bytes, Counting]
) -> None:
    monkeypatch.setattr(asking, "_MOST_IMAGES_PER_SHARD", 5)
    assert _label(tmp_path, _teacher()).to_bytes() == transfer_from_bytes(uninterrupted[0], "whole").to_bytes()


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (1, lambda: TeacherError("gone")),
        (2, KeyboardInterrupt),
        (30, KeyboardInterrupt),
        (77, lambda: TeacherError("gone")),
        (-1, KeyboardInterrupt),
    ],
    ids=["decisions", "first of a shard", "middle of a shard", "another shard", "the last"],
)
def test_interrupted_at_any_call_and_resumed_it_is_byte_for_byte_the_same_and_no_row_is_paid_twice(
    tmp_path: Path, uninterrupted: tuple[bytes, Counting], call: int, error: Callable[[], BaseException]
) -> None:
    whole, seen = uninterrupted
    call = call % (seen.calls + 1)
    counting = Counting(_teacher())
    with pytest.raises((TeacherError, KeyboardInterrupt)):
        _label(tmp_path, Failing(counting, call, error))
    assert counting.calls == call - 1
    assert not (tmp_path / TRANSFER).exists()
    # What the failed call may have cost is on the ledger already.
    assert _spent(tmp_path) > counting.rows
    lost = _spent(tmp_path) - counting.rows
    _label(tmp_path, counting)
    assert (tmp_path / TRANSFER).read_bytes() == whole
    assert counting.rows == seen.rows
    assert _spent(tmp_path) == seen.rows + lost


def test_interrupted_again_and_again_it_gets_there_at_no_row_twice(
    tmp_path: Path, uninterrupted: tuple[bytes, Counting]
) -> None:
    whole, seen = uninterrupted
    counting = Counting(_teacher())
    every = seen.calls // 4
    for _ in range(20):
        try:
            _label(tmp_path, Failing(counting, every, KeyboardInterrupt))
        except KeyboardInterrupt:
            continue
        break
    assert (tmp_path / TRANSFER).read_bytes() == whole
    assert counting.rows == seen.rows
    assert _spent(tmp_path) > counting.rows


def test_a_budget_that_ends_and_is_raised_goes_on_where_it_ended(
    tmp_path: Path, uninterrupted: tuple[bytes, Counting]
) -> None:
    whole, seen = uninterrupted
    counting = Counting(_teacher())
    for total in (5, seen.rows // 2, seen.rows - 1):
        with pytest.raises(BudgetExhausted):
            _label(tmp_path, counting, budget=Budget(total=total))
        assert counting.rows == _spent(tmp_path) <= total
    _label(tmp_path, counting, budget=Budget(total=seen.rows))
    assert (tmp_path / TRANSFER).read_bytes() == whole
    assert counting.rows == _spent(tmp_path) == seen.rows


def test_a_budget_of_one_stage_holds_for_that_stage(tmp_path: Path) -> None:
    with pytest.raises(BudgetExhausted) as caught:
        _label(tmp_path, _teacher(), budget=Budget(stages={"label": 50}))
    assert (caught.value.stage, caught.value.limit) == ("label", 50)


def test_lost_calls_cost_more_and_change_nothing(tmp_path: Path, uninterrupted: tuple[bytes, Counting]) -> None:
    whole, seen = uninterrupted
    counting = Counting(Flaky(_teacher(), maybe_served=frozenset({2, 3, 40}), not_served=frozenset({5, 60, 61})))
    _label(tmp_path, counting)
    assert (tmp_path / TRANSFER).read_bytes() == whole
    assert seen.rows < _spent(tmp_path) < counting.rows


@pytest.mark.parametrize("change", ["edited", "cut", "emptied", "swapped"])
def test_a_shard_that_was_changed_is_named_and_refused_and_alone_is_paid_again_when_deleted(
    tmp_path: Path, uninterrupted: tuple[bytes, Counting], change: str
) -> None:
    counting = Counting(_teacher())
    _label(tmp_path, counting)
    paid = counting.rows
    (tmp_path / TRANSFER).unlink()
    second, third = (tmp_path / "shards" / f"0000{index}.shard" for index in (1, 2))
    content = bytearray(second.read_bytes())
    if change == "edited":
        content[-3] ^= 1
    elif change == "cut":
        del content[-10:]
    elif change == "emptied":
        content.clear()
    else:
        content = bytearray(third.read_bytes())
    second.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"00001\.shard"):
        _label(tmp_path, counting)
    assert counting.rows == paid
    second.unlink()
    _label(tmp_path, counting)
    assert (tmp_path / TRANSFER).read_bytes() == uninterrupted[0]
    assert paid < counting.rows < paid + paid / 2


def test_a_shard_of_another_labelling_is_refused_by_name(tmp_path: Path) -> None:
    _label(tmp_path / "one", _teacher())
    _label(tmp_path / "two", _teacher(), how=_how(seed=1))
    (tmp_path / "one" / TRANSFER).unlink()
    for name in ("one", "two"):
        assert (tmp_path / name / "shards" / "00001.shard").exists()
    (tmp_path / "two" / "shards" / "00001.shard").replace(tmp_path / "one" / "shards" / "00001.shard")
    with pytest.raises(RunMismatch, match=r"00001\.shard"):
        _label(tmp_path / "one", _teacher())


def test_an_edited_transfer_set_is_refused_and_put_together_again_at_no_query(
    tmp_path: Path, uninterrupted: tuple[bytes, Counting]
) -> None:
    _label(tmp_path, _teacher())
    file = tmp_path / TRANSFER
    file.write_bytes(file.read_bytes().replace(b"made/00003", b"made/00009"))
    with pytest.raises(ArtifactError, match=r"transfer\.safetensors"):
        _label(tmp_path, _teacher())
    file.unlink()
    _label(tmp_path, Failing(_teacher(), 1, lambda: AssertionError("the teacher was asked")))
    assert file.read_bytes() == uninterrupted[0]


def test_another_teacher_is_refused_while_a_labelling_is_unfinished(tmp_path: Path) -> None:
    class Other(Sectors):
        def __post_init__(self) -> None:
            super().__post_init__()
            self.weights = -self.weights
            object.__setattr__(self.spec, "fingerprint", "another")

    with pytest.raises(KeyboardInterrupt):
        _label(tmp_path, Failing(_teacher(), 40, KeyboardInterrupt))
    before = _spent(tmp_path)
    with pytest.raises(RunMismatch, match=r"decisions\.safetensors"):
        _label(tmp_path, Other(shape=(1, 6, 6), classes=3))
    assert _spent(tmp_path) == before


@pytest.mark.parametrize("call", [40, None], ids=["unfinished", "finished"])
def test_other_images_are_refused(tmp_path: Path, call: int | None) -> None:
    if call is None:
        _label(tmp_path, _teacher())
    else:
        with pytest.raises(KeyboardInterrupt):
            _label(tmp_path, Failing(_teacher(), call, KeyboardInterrupt))
    with pytest.raises(RunMismatch):
        _label(tmp_path, Failing(_teacher(), 1, lambda: AssertionError("the teacher was asked")), _images(seed=1))


def test_another_way_of_labelling_is_refused_while_one_is_unfinished(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        _label(tmp_path, Failing(_teacher(), 40, KeyboardInterrupt))
    with pytest.raises(RunMismatch, match=r"00000\.shard was made by another plan"):
        _label(tmp_path, _teacher(), how=_how(BoundaryDistance()))


def test_held_out_decisions_are_booked_apart_and_kept(tmp_path: Path) -> None:
    counting = Counting(_teacher())
    with Run(tmp_path) as run:
        first, again = (
            decide(run, counting, _images(), budget=Budget(total=0), stage="held-out", held_out=True) for _ in range(2)
        )
        statement = run.statement()
    assert torch.equal(first, again)
    assert counting.rows == IMAGES
    assert (statement.total, statement.held_out) == (0, {"held-out": IMAGES})


def test_the_teachers_class_is_the_own_class_whatever_the_labels_say(tmp_path: Path) -> None:
    """In the reference implementation the own class is the data set's label."""
    transfer = _label(tmp_path, _teacher())
    assert transfer.images.labels is not None
    assert not torch.equal(transfer.decisions, transfer.images.labels)
    own = torch.nn.functional.one_hot(transfer.decisions, 3).bool()
    assert torch.equal(transfer.distances.isinf(), own)


def test_the_sample_distance_costs_the_decisions_alone(tmp_path: Path) -> None:
    transfer = _label(tmp_path, _teacher(), how=Labelling(SampleDistance(), 0))
    assert _spent(tmp_path) == IMAGES
    assert (transfer.queries == 0).all()


def test_a_shard_can_be_read_with_its_examples(tmp_path: Path) -> None:
    transfer = _label(tmp_path, _teacher())
    with Run(tmp_path) as run:
        shard, header = read_shard(run, 0)
        assert torch.equal(shard["distances"], transfer.distances[: IMAGES // SHARDS])
        assert shard["example_points"].shape == (IMAGES // SHARDS, 1, 6, 6)
        assert len(header["identity"]) == 2 * (32 + 4)
        with pytest.raises(ArtifactError, match=r"00009\.shard"):
            read_shard(run, 9)


def test_progress_is_told_to_the_end(tmp_path: Path) -> None:
    told: list[tuple[str, int, int, str]] = []

    def note(stage: str, done: int, total: int, unit: str) -> None:
        told.append((stage, done, total, unit))

    with Run(tmp_path) as run:
        label(run, _teacher(), _images(), _how(BoundaryDistance()), budget=NO_LIMIT, progress=note)
    for stage in ("decisions", "label"):
        steps = [done for name, done, total, unit in told if name == stage and (total, unit) == (IMAGES, "images")]
        assert steps == sorted(steps)
        assert steps[-1] == IMAGES
