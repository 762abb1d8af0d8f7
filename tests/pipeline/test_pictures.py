"""What a report shows: crossings of a search, read back as they were; samples or pushes, where they can be drawn."""

import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from db3kd.acquisition import Step
from db3kd.answers import Answers
from db3kd.pipeline.bought import Bought
from db3kd.pipeline.pictures import examples_of, kept_examples, picture_of
from db3kd.pipeline.repel import Made
from db3kd.pipeline.tell import Purchase, buy
from db3kd.report.figures import RepulsionFigures
from db3kd.runs import Run
from db3kd.tensors import Float, Tensor
from known_networks import answers_to, readable
from made_runs import Small, keeper_of, stories, story

ANSWERS = answers_to(readable([0, 1, 2, 0]), [0, 1, 2, 1])
BOUGHT = Bought(ANSWERS, ANSWERS.take(torch.arange(0)))


def test_examples_are_the_nearest_crossings_and_a_run_keeps_them(tmp_path: Path) -> None:
    with Run(tmp_path) as run:
        keeper = keeper_of(run)
        assert kept_examples(keeper, ()) == []
        purchase = buy(stories(Small())["distances"], keeper, until="distances")
        found = examples_of(purchase, ("a", "b", "c"))
        kept = kept_examples(keeper, ("a", "b", "c"))
    assert len(found) == 8
    measured, answers = purchase.measured, purchase.bought.answers
    assert measured is not None
    for row, one in enumerate(found):
        assert torch.equal(one.image, answers.images.images()[row])
        assert one.own == "abc"[int(answers.decisions[row])]
        assert one.distance == float(measured.distances.distances[row].min())
        assert float((one.crossing - one.image).norm()) == pytest.approx(one.distance, rel=1e-5)
    assert [(one.caption, one.queries) for one in kept] == [(one.caption, one.queries) for one in found]
    assert all(torch.equal(one.crossing, other.crossing) for one, other in zip(kept, found, strict=True))


def test_without_a_search_there_are_no_examples(tmp_path: Path) -> None:
    with Run(tmp_path) as run:
        keeper = keeper_of(run)
        assert examples_of(buy(story(Small()), keeper, until="distances"), ()) == []
        assert kept_examples(keeper, ()) == []


def test_samples_are_drawn_of_what_was_asked_about(monkeypatch: pytest.MonkeyPatch) -> None:
    def draw(answers: Answers, rounds: Sequence[Step], class_names: tuple[str, ...]) -> bytes:
        assert answers is ANSWERS
        assert class_names == ()
        return f"{[step.size for step in rounds]}".encode()

    monkeypatch.setattr("db3kd.report.strips.draw_samples", draw)
    assert picture_of(Purchase(BOUGHT, rounds=(Step("lot", 3), Step("chosen", 1)))) == b"[3, 1]"


def test_pushes_are_drawn_from_the_noise_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def draw(
        images: Float[Tensor, "k s c h w"], names: list[str], steps: tuple[int, ...], distances: Sequence[float | None]
    ) -> bytes:
        return repr((tuple(images.shape), names, steps, distances)).encode()

    monkeypatch.setattr("db3kd.report.strips.draw_pushes", draw)
    figures = RepulsionFigures(images=4, images_by_class=(2, 2, 0), distances=(None, 0.5), pushes=(0.1, 0.2))
    made = Made(ANSWERS, figures, (torch.zeros(2, 3, 1, 2, 2), (0, 2)), (5, 10))
    shown = picture_of(Purchase(BOUGHT, made=made)).decode()
    assert shown == "((2, 3, 1, 2, 2), ['0', '2'], (0, 5, 10), (None, 0.5))"


def test_without_matplotlib_there_is_no_picture_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delitem(sys.modules, "db3kd.report.strips", raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with caplog.at_level(logging.INFO, logger="db3kd"):
        assert picture_of(Purchase(BOUGHT)) == b""
    assert "matplotlib is missing: pip install 'db3kd[report]'" in caplog.text
