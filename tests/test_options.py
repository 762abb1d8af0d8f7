"""Options refuse what their types do not allow, with all faults in one message."""

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

import pytest
from annotated_types import Ge, Gt, Interval

from db3kd.errors import PlanError
from db3kd.options import check_options


@dataclass(frozen=True)
class Inner:
    """Options within options."""

    count: Annotated[int, Ge(1)] = 1


@dataclass(frozen=True)
class Outer:
    """Options of several kinds."""

    number: Annotated[int, Ge(1)] | None = None
    share: Annotated[float, Interval(ge=0, lt=1)] = 0.5
    order: Literal["near", "far"] = "near"
    steps: tuple[Annotated[float, Gt(0)], ...] = (1.0,)
    inner: Inner = field(default_factory=Inner)
    name: ClassVar[str] = "outer"

    def __post_init__(self) -> None:
        check_options(self)


def test_what_the_types_allow_passes() -> None:
    assert Outer(3, 0.0, "far", (), Inner(2)).steps == ()
    assert Outer(share=0).share == 0


def test_all_faults_are_in_one_message() -> None:
    with pytest.raises(PlanError) as caught:
        Outer(number=0, share=1.0, steps=(2.0, -1.0))
    message = str(caught.value)
    assert message.startswith("Outer cannot have these values: number")
    for fault in ("got 0;", "share must be less than 1, got 1.0", "steps.1 must be greater than 0, got -1.0"):
        assert fault in message


def test_not_a_number_lies_in_no_range() -> None:
    with pytest.raises(PlanError, match="share"):
        Outer(share=float("nan"))
