"""A watched teacher decides as the teacher does, and tells how many rows it answered after each call."""

import pytest
import torch

from db3kd.teachers import Teacher
from db3kd.teachers.watched import WatchedTeacher
from known_teachers import Failing, Sectors, draw_images

SECTORS = Sectors((1, 6, 6))
IMAGES = draw_images(SECTORS, 12)


def test_each_call_is_heard_of() -> None:
    heard: list[int] = []
    watched = WatchedTeacher(SECTORS, heard.append)
    assert isinstance(watched, Teacher)
    assert watched.spec is SECTORS.spec
    assert torch.equal(watched(IMAGES), SECTORS(IMAGES))
    watched(IMAGES[:5])
    assert heard == [12, 5]


def test_a_call_that_fails_is_not_heard_of() -> None:
    heard: list[int] = []
    watched = WatchedTeacher(Failing(SECTORS, 1, lambda: ValueError("no power")), heard.append)
    with pytest.raises(ValueError, match="no power"):
        watched(IMAGES)
    assert heard == []
