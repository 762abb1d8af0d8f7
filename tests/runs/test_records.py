"""Lines are added and cut back; a torn last line is left out, and a changed one is named."""

import json
import math
from pathlib import Path

import pytest

from db3kd.errors import ArtifactError
from db3kd.runs.records import append_record, read_object, read_records, write_object, write_records


def test_an_object_comes_back_and_an_absent_one_is_none(tmp_path: Path) -> None:
    assert read_object(tmp_path / "some.json", "go on") is None
    write_object(tmp_path / "some.json", {"a": [1, 2]})
    assert read_object(tmp_path / "some.json", "go on") == {"a": [1, 2]}


def test_lines_are_added_and_cut_back(tmp_path: Path) -> None:
    path = tmp_path / "training.jsonl"
    assert read_records(path) == ()
    for epoch in range(4):
        append_record(path, {"epoch": epoch, "loss": 0.5 * epoch})
    write_records(path, read_records(path)[:2])
    append_record(path, {"epoch": 2, "loss": math.nan})
    assert read_records(path) == ({"epoch": 0, "loss": 0.0}, {"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": None})
    for line in path.read_text().splitlines():
        json.loads(line)


def test_a_torn_line_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "training.jsonl"
    append_record(path, {"epoch": 0})
    with path.open("a") as file:
        file.write('{"epoch"')
    assert read_records(path) == ({"epoch": 0},)
    append_record(path, {"epoch": 1})
    assert read_records(path) == ({"epoch": 0}, {"epoch": 1})


@pytest.mark.parametrize(
    "content", ["", '{"epoch": 0}\n', '{"format": 1}\nepoch\n', '{"format": 1}\n5\n', '{"format": 2}\n']
)
def test_changed_lines_are_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "training.jsonl").write_text(content)
    with pytest.raises(ArtifactError, match=r"training\.jsonl"):
        read_records(tmp_path / "training.jsonl")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 2}'])
def test_a_changed_object_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "some.json").write_text(content)
    with pytest.raises(ArtifactError, match=r"some\.json.*go on"):
        read_object(tmp_path / "some.json", "go on")
