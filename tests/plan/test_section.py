"""The keys of a section are the fields of a dataclass, as its docstring tells them."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

import pytest
from annotated_types import Ge
from pydantic import ValidationError

from db3kd.boundary import BoundaryDistance, Method
from db3kd.plan.section import arguments_of, chosen, keys_of, section_of


@dataclass(frozen=True)
class Inner:
    depth: int = 3


@dataclass(frozen=True)
class Outer:
    """Documented.

    Args:
        needed: of the program's own, and no key.
        count: how
            many.
        choice: truth is a word.
        search: by its name.
    """

    needed: int
    count: Annotated[int, Ge(1)] = 2
    choice: Literal["true", "decisions"] = "decisions"
    search: Method = field(default_factory=BoundaryDistance)
    inner: Inner = field(default_factory=Inner)
    left_out: int | None = None


def test_what_a_docstring_says_of_arguments() -> None:
    class Documented:
        """One line.

        Args:
            first: of two
                lines: yes.
            second: short.

        Raises:
            Error: never.
        """

    assert arguments_of(Documented) == {"first": "of two lines: yes.", "second": "short."}


def test_fields_with_a_default_are_keys_and_told_as_the_docstring_tells_them() -> None:
    keys = keys_of(Outer, without=("left_out",))
    assert list(keys) == ["count", "choice", "search", "inner"]
    assert [keys[name][1].description for name in keys] == ["how many.", "truth is a word.", "by its name.", None]


def test_objects_are_made_of_what_was_written_and_the_rest_is_the_objects_own_default() -> None:
    written = {"choice": True, "search": {"name": "bd", "exemplars": 3}, "inner": {"depth": 5}}
    section = section_of(Outer, keys_of(Outer, written)).model_validate(written)
    assert section.given.keys() == written.keys()
    made = section.open(needed=7, unknown="is not handed on")
    assert made == Outer(7, choice="true", search=BoundaryDistance(exemplars=3), inner=Inner(5))
    assert section.open(needed=7, without=("choice", "inner")) == Outer(7, search=BoundaryDistance(exemplars=3))


@pytest.mark.parametrize(
    ("written", "told"), [({"count": 0}, "count"), ({"more": 1}, "more"), ({"inner": {"width": 1}}, "width")]
)
def test_what_is_no_key_or_no_value_is_refused(written: dict[str, object], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        section_of(Outer, keys_of(Outer, written)).model_validate(written)


def test_a_name_chooses_whose_options_a_table_holds() -> None:
    table = {"inner": f"{__name__}:Inner"}
    model = chosen(table, {"name": "inner"})
    assert set(model.model_fields) == {"name", "depth"}
    assert chosen(table, {}, default="inner").model_validate({}).which == "inner"
    with pytest.raises(ValidationError, match="'outer' is unknown"):
        chosen(table, {"name": "outer"}).model_validate({"name": "outer"})
