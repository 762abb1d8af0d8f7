"""Answers grow and never change; candidates keep their names and their values, whatever they are put together with."""

from dataclasses import replace

import pytest
import torch

from db3kd.answers import Answers, Candidates, family_of, is_fresh, no_answers, together
from db3kd.data import Dataset
from db3kd.errors import InputError

SHAPE = (1, 4, 4)


def _answers(count: int = 6, *, name: str = "a", labels: bool = True) -> Answers:
    pixels = torch.randint(0, 256, (count, *SHAPE), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    ids = tuple(f"{name}/{row}" for row in range(count))
    images = Dataset(name, ids, pixels, torch.arange(count) % 3 if labels else None, ())
    origins = tuple(("shapes", "recombined/shapes", "images")[row % 3] for row in range(count))
    return Answers(images, torch.arange(count) % 4, origins, 3, torch.arange(count) == 2)


def test_only_decided_answers_that_are_not_set_aside_are_learned() -> None:
    answers = _answers()
    assert answers.decisions.tolist() == [0, 1, 2, 3, 0, 1]
    assert answers.decided.tolist() == [True, True, True, False, True, True]
    assert answers.learned().tolist() == [0, 1, 4, 5]
    assert answers.histogram().tolist() == [2, 2, 1]


def test_origins_and_families_are_numbers() -> None:
    answers = _answers()
    assert answers.coded.names == ("shapes", "recombined/shapes", "images")
    assert answers.coded.codes.tolist() == [0, 1, 2, 0, 1, 2]
    assert answers.families.names == ("shapes", "images")
    assert answers.families.codes.tolist() == [0, 0, 1, 0, 0, 1]
    assert no_answers(SHAPE, 3).families.names == ()


def test_joined_answers_keep_their_places() -> None:
    first, second = _answers(), _answers(name="b")
    both = first.joined(second)
    assert len(both) == 12
    assert torch.equal(both.images.pixels[:6], first.images.pixels)
    assert both.images.ids == (*first.images.ids, *second.images.ids)
    assert both.origins[6:] == second.origins
    assert both.aside.nonzero()[:, 0].tolist() == [2, 8]
    assert no_answers(SHAPE, 3).joined(first) is first
    assert first.joined(no_answers(SHAPE, 3)) is first
    # They did not change.
    assert len(first) == 6


def test_some_answers_are_taken_in_the_order_of_the_rows() -> None:
    some = _answers().take(torch.tensor([4, 2]))
    assert some.images.ids == ("a/4", "a/2")
    assert some.decisions.tolist() == [0, 2]
    assert some.origins == ("recombined/shapes", "images")
    assert some.aside.tolist() == [False, True]


def test_parts_that_do_not_fit_are_refused() -> None:
    answers = _answers()
    with pytest.raises(InputError, match="6 images need as many decisions"):
        replace(answers, origins=answers.origins[:5])
    with pytest.raises(InputError, match="from 0 to 2, or 3 where the teacher abstained, got 0 to 4"):
        replace(answers, decisions=answers.decisions.clone().fill_(4).index_fill_(0, torch.tensor([0]), 0))


def test_a_child_has_the_family_of_its_first_parent_and_is_not_fresh() -> None:
    assert [family_of(origin) for origin in ("strokes", "pushed/strokes", "mixture")] == [
        "strokes",
        "strokes",
        "mixture",
    ]
    assert [is_fresh(origin) for origin in ("strokes", "images", "pushed/strokes", "mixture")] == [
        True,
        True,
        False,
        False,
    ]


def test_candidates_are_taken_with_all_that_is_known_of_them() -> None:
    some = Candidates(torch.zeros(3, *SHAPE), ("a", "b", "c"), ("x", "y", "z"), torch.arange(3)).take(
        torch.tensor([2, 0])
    )
    assert (some.origins, some.ids) == (("c", "a"), ("z", "x"))
    assert some.labels is not None
    assert some.labels.tolist() == [2, 0]


def test_candidates_together_keep_their_values_names_and_labels() -> None:
    bytes_ = Candidates(torch.full((2, *SHAPE), 255, dtype=torch.uint8), ("dead leaves", "dead leaves"))
    floats = Candidates(torch.full((1, *SHAPE), 0.5), ("images",), ("mine/7",), torch.tensor([4]))
    both = together([bytes_, floats])
    assert both.images()[:, 0, 0, 0].tolist() == [1.0, 1.0, 0.5]
    assert both.ids == ("", "", "mine/7")
    assert both.labels is None
    assert both.named(40) == ("dead-leaves/0000040", "dead-leaves/0000041", "mine/7")
    assert together([bytes_, bytes_]).pixels.dtype == torch.uint8
    assert together([bytes_, bytes_]).ids == ()
    assert together([floats, floats]).labels is not None
