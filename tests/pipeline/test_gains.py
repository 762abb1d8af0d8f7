"""What a round gained is told of answers that were set aside, heard once, and read back as it was."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch

from db3kd.answers import Answers
from db3kd.context import Context
from db3kd.evaluation import Gain
from db3kd.pipeline.gains import as_text, compare, gains_of
from db3kd.runs import Keeper, Kept, Run
from known_networks import CLASSES, Reader, answers_to, readable

# The last one is no class, and the first two are learned.
IMAGES = readable([0, 1, 2, 0, 1, 2])
ANSWERS = Answers(
    IMAGES, torch.tensor([0, 1, 2, 0, 2, CLASSES]), ("images",) * 6, CLASSES, torch.tensor([False] * 2 + [True] * 4)
)


def test_committees_are_compared_on_decided_answers_that_neither_has_learned(tmp_path: Path) -> None:
    heard: list[tuple[str, int, Mapping[str, float]]] = []
    with Run(tmp_path) as run:
        keeper = Keeper(run, Context(tracker=lambda *told: heard.append(told)))
        (gain,) = compare(ANSWERS, [Reader(1), Reader(1)], [Reader()], keeper, since=2, learned_longer=True)
    # Two of three are as the first pixel says, and the third is the next class.
    assert (gain.since, gain.queries, gain.images, gain.learned_longer) == (2, 6, 3, True)
    assert [gain.before, gain.after] == pytest.approx([1 / 3, 2 / 3])
    assert heard == [("agreement", 6, {"agreement": gain.after, "gain": pytest.approx(1 / 3)})]


def test_where_nobody_or_nothing_can_be_compared_there_is_no_gain(tmp_path: Path) -> None:
    members = [Reader()]
    with Run(tmp_path) as run:
        keeper = Keeper(run)
        assert compare(ANSWERS, [], members, keeper, since=2) == []
        assert compare(ANSWERS, members, [], keeper, since=2) == []
        assert compare(answers_to(IMAGES, [0] * 6), members, members, keeper, since=2) == []
        assert compare(answers_to(IMAGES, [CLASSES] * 6, aside=True), members, members, keeper, since=2) == []


def test_a_gain_stands_beside_answers_as_text() -> None:
    gain = Gain(20, 60, 12, 1 / 3, 2 / 3, 0.125, learned_longer=True)
    parts = [Kept({}, as_text([])), Kept({}, {"ends": "", **as_text([gain])}), Kept({}, as_text([gain]))]
    assert gains_of(parts) == [gain, gain]
    assert as_text([]) == {}
