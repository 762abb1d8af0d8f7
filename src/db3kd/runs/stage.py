"""What a stage of a run is, and the keys by which its parts are known again.

A stage says its name, what its result depends on, what it costs, and how its parts are made and joined. The keeper does
the rest: it reads, writes, checks and resumes. Stages are in `db3kd.pipeline`.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar, runtime_checkable

from db3kd.errors import PlanError
from db3kd.tensors import Tensor

if TYPE_CHECKING:
    from db3kd.runs.keeper import Keeper

# By name, what JSON can hold.
Key = Mapping[str, object]
Made = TypeVar("Made", covariant=True)
State = Literal["done", "begun", "not begun"]


@dataclass(frozen=True)
class Part:
    """A file that a stage makes.

    Args:
        name: of the file in the run, without its ending, such as "student" or "answers/00003".
        queries: rows that it asks, at most.
        epochs: epochs that it trains, at most.
        way: how its questions are chosen, where a stage has several ways.
    """

    name: str
    queries: int = 0
    epochs: int = 0
    way: str = ""


@dataclass(frozen=True)
class Outline:
    """What is known of a stage beforehand; estimates and the status of a run are sums over these.

    Args:
        name: of the stage.
        parts: in the order in which they are made.
        unit: of the parts.
        held_out: whether its queries are booked outside the budget.
        ends: what may end it early, as text; an end that was found by other wishes holds no longer. The part that says
            so must hold nothing that was bought.
    """

    name: str
    parts: tuple[Part, ...]
    unit: str = "parts"
    held_out: bool = False
    ends: str = ""

    @property
    def queries(self) -> int:
        """Rows that it asks, at most."""
        return sum(part.queries for part in self.parts)


@dataclass(frozen=True)
class Standing:
    """How far a stage is."""

    name: str
    state: State
    done: int
    total: int
    unit: str
    ahead: int
    held_out: bool


@dataclass(frozen=True, eq=False)
class Kept:
    """What a part holds.

    Args:
        tensors: by name.
        about: short texts and figures beside them.
        last: whether no part follows, whatever was planned.
        whole: whether it is what was planned. What a budget cut short is used and not written: its answers are in the
            journal, and a larger budget goes on there.
    """

    tensors: Mapping[str, Tensor]
    about: Mapping[str, str] = field(default_factory=dict)
    last: bool = False
    whole: bool = True


@runtime_checkable
class Stage(Protocol[Made]):
    """One stage of a run."""

    @property
    def outline(self) -> Outline:
        """Its name, parts and cost."""

    @property
    def kind(self) -> str:
        """What its files are and in which format version, such as "db3kd-answers-2"."""

    @property
    def key(self) -> Key:
        """The options that its result depends on, by name."""

    @property
    def source(self) -> str:
        """A digest of what it is made of, such as answers; empty where the key says all.

        Where it differs, a part that costs no query is made again, and one that does is refused.
        """

    def make(self, number: int, before: Sequence[Kept], keeper: "Keeper") -> Kept:
        """Make the part of a number, from 0, after the parts before it; it is kept before the next one is made."""

    def join(self, parts: Sequence[Kept]) -> Made:
        """Put the parts together."""


def numbered_part(stage: str, number: int) -> str:
    """Name a part of a stage that has several."""
    return f"{stage}/{number:05d}"


def key_of(value: object) -> object:
    """Turn options into what JSON can hold: a dataclass into its type and fields by name, an object into its `key`.

    A PlanError where an object says nothing of itself.
    """
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    own = getattr(value, "key", None)
    if isinstance(own, Mapping):
        return {name: key_of(entry) for name, entry in own.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {one.name: key_of(getattr(value, one.name)) for one in dataclasses.fields(value)}
        return {"type": type(value).__name__, **fields}
    if isinstance(value, Mapping):
        return {str(name): key_of(entry) for name, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [key_of(entry) for entry in value]
    raise PlanError(
        f"{type(value).__name__} cannot be told from another one when a run goes on; nothing was done: make it a "
        "frozen dataclass of its options, or give it a property `key` with a dictionary of them"
    )
