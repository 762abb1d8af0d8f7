"""The keeper makes what is missing, and finds what was edited, exchanged or made for something else."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import torch

from db3kd.errors import (
    ArtifactError,
    BudgetExhausted,
    InvalidDecision,
    RunError,
    RunMismatch,
    StorageError,
    TeacherError,
)
from db3kd.ledger import Limits
from db3kd.runs import Keeper, Kept, Key, Outline, Part, Run, Stage, numbered_part
from db3kd.teachers import Service
from db3kd.tensors import Int, Tensor
from known_teachers import Failing, FailsBeside, draw_images
from made_runs import CLASSES, Small, Stopped, untouched

ROWS = 20


@dataclass
class Asks:
    """Asks about some images, part by part."""

    teacher: Callable[..., Tensor]
    options: dict[str, object] = field(default_factory=dict)
    source: str = ""
    parts: int = 3
    limit: int | None = None
    last: int | None = None
    name: str = "asked"

    kind = "db3kd-test-1"

    @property
    def outline(self) -> Outline:
        return Outline(self.name, tuple(Part(numbered_part(self.name, n), ROWS) for n in range(self.parts)), "shards")

    @property
    def key(self) -> Key:
        return {"type": "Asks", "options": {"seed": 0, **self.options}}

    def make(self, number: int, before: Sequence[Kept], keeper: Keeper) -> Kept:
        images = draw_images(Small(), ROWS, seed=number)
        try:
            with keeper.asking(
                self.teacher,  # type: ignore[arg-type]  # a stand-in
                self,
                number,
                limits=Limits(run=self.limit),
            ) as oracle:
                decisions = oracle(images)
        except BudgetExhausted:
            return Kept({}, whole=False)
        return Kept({"decisions": decisions}, {"note": f"part {number}"}, last=number == self.last)

    def join(self, parts: Sequence[Kept]) -> Int[Tensor, " n"]:
        return torch.cat([torch.zeros(0, dtype=torch.int64), *(one.tensors["decisions"] for one in parts if one.whole)])


@dataclass
class Computes:
    """Costs no query."""

    source: str
    made: int = 0

    kind = "db3kd-test-1"
    key: Key = field(default_factory=lambda: {"type": "Computes"})
    outline = Outline("computed", (Part("computed"),))

    def make(self, number: int, before: Sequence[Kept], keeper: Keeper) -> Kept:
        self.made += 1
        return Kept({"value": torch.tensor([len(self.source)])})

    def join(self, parts: Sequence[Kept]) -> int:
        return int(parts[0].tensors["value"])


def _perform(folder: Path, stage: Stage[Tensor], *, recording: bool = False) -> Tensor:
    with Run(folder) as run:
        return Keeper(run, recording=recording).perform(stage)


def _spent(folder: Path) -> int:
    with Run(folder) as run:
        return run.statement().total


def test_parts_are_made_once_and_joined(tmp_path: Path) -> None:
    teacher = Small()
    first = _perform(tmp_path, Asks(teacher))
    assert teacher.rows == 3 * ROWS == _spent(tmp_path) == len(first)
    assert torch.equal(_perform(tmp_path, Asks(untouched(teacher))), first)
    assert sorted(path.name for path in tmp_path.glob("asked/*")) == [f"0000{n}.safetensors" for n in range(3)]


@pytest.mark.parametrize("call", [1, 2, 3, 5, 9])
def test_interrupted_at_any_call_it_ends_the_same_and_no_row_is_seen_twice(tmp_path: Path, call: int) -> None:
    whole = _perform(tmp_path / "whole", Asks(Small()))
    teacher = Small()
    with pytest.raises(Stopped):
        _perform(tmp_path / "parts", Asks(Failing(teacher, call, Stopped)))
    assert torch.equal(_perform(tmp_path / "parts", Asks(teacher)), whole)
    assert len(set(teacher.asked)) == teacher.rows == 3 * ROWS
    for file in (tmp_path / "whole").glob("asked/*"):
        assert (tmp_path / "parts" / "asked" / file.name).read_bytes() == file.read_bytes()


@pytest.mark.parametrize("recording", [True, False])
def test_what_came_beside_a_call_that_failed_is_not_paid_again(tmp_path: Path, recording: bool) -> None:
    whole = _perform(tmp_path / "whole", Asks(Small()), recording=recording)
    folder, teacher = tmp_path / "parts", Small()
    _perform(folder, Asks(teacher, parts=1), recording=recording)
    # The second of the three calls about the next images.
    failing = FailsBeside(teacher, draw_images(teacher, ROWS, seed=1)[9], places=3)
    with pytest.raises(TeacherError, match="a broken image"):
        _perform(folder, Asks(failing), recording=recording)
    assert _spent(folder) == 2 * ROWS
    before = teacher.rows
    assert before == 2 * ROWS - 8
    assert torch.equal(_perform(folder, Asks(teacher), recording=recording), whole)
    # The eight rows of the call that failed, and the last part: nothing else is asked or paid.
    assert teacher.rows - before == 8 + ROWS
    assert _spent(folder) == 3 * ROWS + 8
    assert len(set(teacher.asked)) == teacher.rows == 3 * ROWS
    assert not list(folder.rglob("*.spare"))


@dataclass
class _BySize(Small):
    """Answers by the size of the call: another division of the rows gives other bytes."""

    sizes: list[int] = field(default_factory=list)

    def __call__(self, images: Tensor) -> Tensor:
        self.sizes.append(len(images))
        return (super().__call__(images) + len(images)) % CLASSES


@pytest.mark.parametrize("recording", [True, False])
@pytest.mark.parametrize("in_flight", [1, 3])
def test_a_run_that_goes_on_sends_the_calls_of_one_that_was_not_interrupted(
    tmp_path: Path, recording: bool, in_flight: int
) -> None:
    def teacher() -> _BySize:
        made = _BySize()
        made.spec = replace(made.spec, service=Service(in_flight=in_flight))
        return made

    plain = teacher()
    whole = _perform(tmp_path / "whole", Asks(plain), recording=recording)
    # The very first row alone, two more, then whole batches: the parts after the first are not divided otherwise.
    assert plain.sizes[:3] == [1, 2, 5]
    assert plain.sizes.count(1) == 1
    for call in range(1, len(plain.sizes) + 1):
        folder, again = tmp_path / str(call), teacher()
        with pytest.raises(Stopped):
            _perform(folder, Asks(Failing(again, call, Stopped)), recording=recording)
        assert torch.equal(_perform(folder, Asks(again), recording=recording), whole)
        if in_flight == 1:
            assert again.sizes == plain.sizes


def test_a_teacher_of_a_wrong_kind_has_cost_one_query_when_the_run_ends(tmp_path: Path) -> None:
    class Scores(Small):
        def __call__(self, images: Tensor) -> Tensor:
            return torch.zeros(len(images), CLASSES)

    with pytest.raises(InvalidDecision):
        _perform(tmp_path, Asks(Scores()))
    assert _spent(tmp_path) == 1
    assert len(_perform(tmp_path, Asks(Small()))) == 3 * ROWS
    assert _spent(tmp_path) == 3 * ROWS + 1


def test_a_budget_ends_a_stage_and_a_larger_one_goes_on(tmp_path: Path) -> None:
    teacher = Small()
    for limit, whole in ((30, 1), (45, 2), (60, 3)):
        assert len(_perform(tmp_path, Asks(teacher, limit=limit))) == whole * ROWS
        assert teacher.rows == _spent(tmp_path) <= limit
    assert len(set(teacher.asked)) == teacher.rows == 60


def test_nothing_follows_a_last_part(tmp_path: Path) -> None:
    teacher = Small()
    stage = Asks(teacher, last=1)
    assert len(_perform(tmp_path, stage)) == 2 * ROWS
    assert len(_perform(tmp_path, Asks(untouched(teacher), last=1))) == 2 * ROWS
    with Run(tmp_path) as run:
        (standing,) = Keeper(run).standing([stage.outline])
    assert (standing.state, standing.done, standing.total, standing.ahead) == ("done", 2, 3, 0)
    # How a run stands is told of what is broken too; whoever needs it is told more.
    path = next(path for path in sorted(tmp_path.rglob("00001*")) if path.suffix != ".journal")
    path.write_bytes(path.read_bytes()[:10])
    with Run(tmp_path) as run:
        (standing,) = Keeper(run).standing([stage.outline])
    assert (standing.done, standing.ahead) == (2, ROWS)
    with pytest.raises(ArtifactError, match="truncated"):
        _perform(tmp_path, Asks(untouched(teacher), last=1))


def test_each_key_that_differs_is_named_before_anything_is_asked(tmp_path: Path) -> None:
    _perform(tmp_path, Asks(Small(), {"size": 3, "name": "a"}))
    with pytest.raises(RunMismatch) as caught:
        _perform(tmp_path, Asks(untouched(Small()), {"size": 4, "kind": "b"}))
    message = str(caught.value)
    assert "asked/00000.safetensors was made for something else" in message
    for difference in (
        "options.size is 3 in the run and 4 in what was asked for",
        'options.name is "a" in the run and not set',
        'options.kind is not set in the run and "b"',
    ):
        assert difference in message
    assert "seed" not in message


def test_what_costs_queries_is_not_made_again_of_other_answers(tmp_path: Path) -> None:
    _perform(tmp_path, Asks(Small(), source="one"))
    with pytest.raises(RunMismatch, match="what was bought before it is not what it was made of"):
        _perform(tmp_path, Asks(untouched(Small()), source="two"))


def test_what_costs_none_is_made_again_of_other_answers(tmp_path: Path) -> None:
    with Run(tmp_path) as run:
        keeper = Keeper(run)
        first, again, other = Computes("one"), Computes("one"), Computes("other")
        assert keeper.perform(first) == keeper.perform(again) == 3
        assert keeper.perform(other) == 5
        assert (first.made, again.made, other.made) == (1, 0, 1)
        assert keeper.perform(Computes("one")) == 3


@pytest.mark.parametrize("change", ["edited", "cut", "emptied", "exchanged", "another kind"])
def test_a_part_that_was_changed_is_named_and_alone_is_made_again_when_deleted(tmp_path: Path, change: str) -> None:
    teacher = Small()
    whole = _perform(tmp_path, Asks(teacher))
    file, other = tmp_path / "asked/00001.safetensors", tmp_path / "asked/00002.safetensors"
    content = bytearray(file.read_bytes())
    if change == "edited":
        content[-3] ^= 1
    elif change == "cut":
        del content[-10:]
    elif change == "emptied":
        content.clear()
    elif change == "exchanged":
        content = bytearray(other.read_bytes())
    else:
        content = bytearray(content.replace(b"db3kd-test-1", b"db3kd-test-9"))
    file.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"00001\.safetensors.*delete it and run again"):
        _perform(tmp_path, Asks(teacher))
    assert teacher.rows == 3 * ROWS
    file.unlink()
    assert torch.equal(_perform(tmp_path, Asks(teacher)), whole)
    assert teacher.rows == 4 * ROWS


def test_what_was_declared_can_be_told_without_the_teacher(tmp_path: Path) -> None:
    stage, trained = Asks(Small(), limit=30), Outline("student", (Part("student", epochs=5),))
    with Run(tmp_path) as run:
        keeper = Keeper(run)
        assert keeper.declared() == ()
        keeper.declare([stage.outline, trained])
        begun, ahead = keeper.standing(keeper.declared())
        assert (begun.state, begun.done, begun.total, begun.unit, begun.ahead) == ("not begun", 0, 3, "shards", 60)
        assert (ahead.state, ahead.done, ahead.total, ahead.unit) == ("not begun", 0, 5, "epochs")
        keeper.perform(stage)
        run.append_line({"part": "student", "epoch": 2})
    # Whoever looks writes nothing and takes no lock.
    looking = Keeper(Run(tmp_path))
    begun, ahead = looking.standing(looking.declared())
    assert (begun.state, begun.done, begun.ahead) == ("begun", 1, 40)
    assert (ahead.state, ahead.done) == ("begun", 2)
    assert looking.count("asked") == 1


@pytest.mark.parametrize("name", ["../student", "a//b", ".hidden", "a/../b", ""])
def test_a_part_is_called_by_plain_names(tmp_path: Path, name: str) -> None:
    with Run(tmp_path) as run, pytest.raises(RunError, match="plain names"):
        Keeper(run).has(name)


def test_a_full_disk_keeps_the_parts_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    teacher = Small()
    written: list[Path] = []

    def write(path: Path, data: bytes) -> None:
        if len(written) == 1:
            raise StorageError(f"{path} could not be written")
        written.append(path)
        path.write_bytes(data)

    with monkeypatch.context() as patch:
        patch.setattr("db3kd.runs.keeper.write_atomically", write)
        with pytest.raises(StorageError):
            _perform(tmp_path, Asks(teacher))
    assert len(_perform(tmp_path, Asks(teacher))) == 3 * ROWS
    assert teacher.rows == 3 * ROWS
