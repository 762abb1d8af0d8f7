"""A few questions tell which transforms a teacher minds; their answers are answers as all others."""

from collections import Counter
from dataclasses import replace

import pytest
import torch

from db3kd.answers import Answers, no_answers
from db3kd.augmentation import TRANSFORMS, affordable, approve, view_questions
from db3kd.data import Dataset
from db3kd.tensors import Float, Int, Tensor
from made_answers import seeded

SHAPE = (1, 16, 16)


def _minds_the_side(images: Float[Tensor, "b c h w"]) -> Int[Tensor, " b"]:
    """Which side is brighter: mirroring changes every decision, light none."""
    return (images[:, 0, :, :8].mean(dim=(1, 2)) > images[:, 0, :, 8:].mean(dim=(1, 2))).long()


def _asked(count: int, views: int) -> Answers:
    images = torch.rand(count, *SHAPE, generator=seeded()) * 0.4
    images[::2, :, :, :8] += 0.4
    images[1::2, :, :, 8:] += 0.4
    pixels = (images * 255).to(torch.uint8)
    ids = tuple(f"some/{number}" for number in range(count))
    aside = torch.arange(count) < 5
    decided = _minds_the_side(pixels / 255)
    first = Answers(Dataset("some", ids, pixels, None, ()), decided, ("images",) * count, 2, aside)
    asked = view_questions(first, views, seeded())
    more = Dataset("some", asked.ids, asked.pixels, None, ())
    return first.joined(
        Answers(more, _minds_the_side(asked.images()), asked.origins, 2, torch.zeros(len(asked), dtype=torch.bool))
    )


def test_what_changes_decisions_is_left_out_and_what_does_not_goes_all_the_way() -> None:
    scores = {score.transform: score for score in approve(_asked(60, 240))}
    mirror, light = scores["mirror"], scores["brightness"]
    assert (mirror.stayed, mirror.weak, mirror.strong) == (0, 0, 0)
    way = next(way for way in TRANSFORMS if way.name == "brightness")
    assert light.stayed == light.asked >= 12
    assert (light.weak, light.strong) == (way.weak, way.strong)


def test_questions_are_children_of_answers_that_are_learned_from() -> None:
    answers = _asked(60, 240)
    children = [name for name in answers.images.ids if "#" in name]
    parents = {name.rpartition("#")[0] for name in children}
    assert len(children) == affordable(240, 1) == 8 * 30
    assert len(set(answers.images.ids)) == len(answers)
    assert not parents & {f"some/{number}" for number in range(5)}, "set aside"
    assert set(answers.origins) == {"images", *(f"{way.name}/images" for way in TRANSFORMS if way.name != "colour")}


def test_little_money_is_for_what_matters_most_and_the_rest_is_taken_with_care() -> None:
    assert [affordable(count, 1) for count in (0, 11, 12, 30, 96, 10**6)] == [0, 0, 12, 24, 96, 8 * 32]
    scores = {score.transform: score for score in approve(_asked(60, 30))}
    assert [name for name, score in scores.items() if score.asked] == ["mirror", "shift"]
    turn = next(way for way in TRANSFORMS if way.name == "turn")
    assert scores["turn"].weak == 0
    assert 0 < scores["turn"].strong < turn.strong
    untold = {score.transform: score for score in approve(_asked(60, 0))}
    assert (untold["mirror"].asked, untold["mirror"].weak, untold["mirror"].strong) == (0, 0, 0)


@pytest.mark.parametrize(("stayed", "weak", "strong"), [(0, 0, 0), (9, 0, 0), (10, 1, 1), (15, 1, 1)])
def test_what_the_teacher_minds_is_used_neither_weakly_nor_strongly(stayed: int, weak: int, strong: int) -> None:
    """Of 30 decisions about each transform so many stay."""
    answers = _asked(60, 240)
    row_of = {name: row for row, name in enumerate(answers.images.ids)}
    asked, decisions = Counter[str](), answers.decisions.clone()
    for name, row in row_of.items():
        parent, _, way = name.rpartition("#")
        if parent:
            decisions[row] = answers.decisions[row_of[parent]] ^ int(asked[way] >= stayed)
            asked[way] += 1
    scores = [score for score in approve(replace(answers, decisions=decisions)) if score.transform != "mirror"]
    assert {(score.asked, score.stayed) for score in scores} == {(30, stayed)}
    assert all((score.strong > 0) == strong for score in scores)
    assert {score.transform for score in scores if score.weak > 0} == ({"shift"} if weak else set())


def test_without_an_answer_nothing_is_transformed() -> None:
    none = no_answers(SHAPE, 2)
    assert len(view_questions(none, 240, seeded())) == 0
    assert all(score.asked == 0 for score in approve(none))


def test_a_child_that_an_earlier_run_asked_about_is_not_made_again() -> None:
    answers = _asked(60, 240)
    again = view_questions(answers, 240, seeded(7))
    assert len(again)
    assert not set(again.ids) & set(answers.images.ids)
