"""The figures of README's tables are worked out again from the files of the records that the tables name."""

import json
import re
from pathlib import Path
from statistics import mean
from typing import Any

import pytest

from db3kd.report.schema import from_json
from db3kd.report.tables import student_table

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
RECORDS = ROOT / "records"
HALF = "lenet5-half"

# For each row of "What it costs and what you get": its files, the network, and the number of questions.
ROWS = (
    ("2026-11-30-five-seeds-at-100/mnist-100.json", HALF, 100),
    ("2026-11-30-five-seeds/mnist-300.json", HALF, 300),
    ("2026-12-01-views-asked-about/forest-150.json", "benchmarks.forest:small", 150),
    ("2026-11-30-clothes/fashion-1000.json", HALF, 1000),
    ("2026-12-01-views-asked-about/fashion-3000.json", HALF, 3000),
    ("2026-11-30-clothes/fashion-10000.json", HALF, 10_000),
    ("2026-11-26-zero-shot-300k/active-10000-seed?-gpu.json", "lenet5", 10_000),
    ("2026-11-26-zero-shot-longer/active-100000-seed?.json", "lenet5", 100_000),
)


def _cells(title: str) -> list[list[str]]:
    section = README.split(f"## {title}\n")[1].split("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")]
    return rows[1:]


def _figures(pattern: str, student: str, questions: int) -> list[list[float]]:
    """What is shown of each seed, in percent: accuracy and agreement, or the accuracies of two students."""
    contents: list[Any] = [json.loads(path.read_text()) for path in sorted(RECORDS.glob(pattern))]
    if isinstance(contents[0], list):
        found = [one for one in contents[0] if (one["method"], one["student"]) == ("default", student)]
        return [[one["accuracy"], one["agreement"]] for one in found if one["questions"] == questions]
    assert {one["calls"] for one in contents} == {questions}
    by_name = [{student["name"]: student["accuracy"] for student in one["students"]} for one in contents]
    return [[accuracies[HALF], accuracies[student]] for accuracies in by_name]


@pytest.mark.parametrize("place", range(len(ROWS)))
def test_a_row_of_what_you_get_is_the_mean_of_its_record(place: int) -> None:
    rows = _cells("What it costs and what you get")
    assert len(rows) == len(ROWS)
    pattern, student, questions = ROWS[place]
    _, asked, told, _, record = rows[place]
    assert int(asked.replace(",", "")) == questions
    assert pattern.split("/")[0] in record
    seeds = _figures(pattern, student, questions)
    said = next((count for count, words in {1: "one seed", 5: "five runs"}.items() if f"({words})" in told), 3)
    assert len(seeds) == said
    shown = re.findall(r"\d+\.(\d+)%", told)
    wanted = [
        f"{100 * mean(values):.{len(digits)}f}%" for values, digits in zip(zip(*seeds, strict=True), shown, strict=True)
    ]
    assert re.findall(r"\d+\.\d+%", told) == wanted


def test_the_table_of_the_demo_is_that_of_its_record() -> None:
    (block,) = re.findall(r"```\n(learned from .*?)```", README, flags=re.DOTALL)
    report = from_json((RECORDS / "2026-12-01-demo" / "report.json").read_text())
    table = student_table(report)
    shown = [re.split(r"\s{2,}", line.strip()) for line in block.strip().splitlines()]
    assert shown == [[column.title for column in table.columns], *map(list, table.rows)]
