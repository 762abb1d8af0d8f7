"""Options refuse what their types do not allow, with all faults in one message."""

import json
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

import numpy as np
import pytest
from annotated_types import Ge, Gt, Interval

from db3kd.arguments import checked_options
from db3kd.errors import PlanError


@dataclass(frozen=True)
class Inner:
    """Options within options."""

    count: Annotated[int, Ge(1)] = 1


@checked_options
class Outer:
    """Options of several kinds."""

    number: Annotated[int, Ge(1)] | None = None
    share: Annotated[float, Interval(ge=0, lt=1)] = 0.5
    order: Literal["near", "far"] = "near"
    steps: tuple[Annotated[float, Gt(0)], ...] = (1.0,)
    inner: Inner = field(default_factory=Inner)
    name: ClassVar[str] = "outer"


def test_what_the_types_allow_passes() -> None:
    assert Outer(3, 0.0, "far", (), Inner(2)).steps == ()
    assert Outer(share=0).share == 0


def test_all_faults_are_in_one_message() -> None:
    with pytest.raises(PlanError) as caught:
        Outer(number=0, share=1.0, steps=(2.0, -1.0))
    message = str(caught.value)
    assert message.startswith("Outer: number must be a whole number from 1 or None, got 0;")
    for fault in ("share must be a number from 0 below 1, got 1.0", "a number above 0, got (2.0, -1.0)"):
        assert fault in message


def test_not_a_number_lies_in_no_range() -> None:
    with pytest.raises(PlanError, match="share"):
        Outer(share=float("nan"))


def test_numbers_of_numpy_and_lists_become_what_a_run_can_write_down() -> None:
    outer = Outer(np.int64(3), np.float32(0.5), steps=[np.float64(2)])  # type: ignore[arg-type]  # as users write it
    assert json.dumps([outer.number, outer.share, outer.steps]) == "[3, 0.5, [2.0]]"
    assert outer.steps == (2.0,)
