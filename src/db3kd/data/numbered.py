"""Ids of images that have none of their own: the name of the set, and a position. They take no memory."""

from collections.abc import Sequence
from typing import final, overload

from db3kd.arguments import check_arguments

_DIGITS = 5


@final
class Numbered(Sequence[str]):
    """NAME/00000, NAME/00001 and so on; an id stays the same whatever the count is.

    Args:
        name: of the set.
        count: images.
    """

    def __init__(self, name: str, count: int) -> None:
        check_arguments(Numbered.__init__, locals())
        self._name, self._rows = name, range(count)

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, row: int) -> str: ...

    @overload
    def __getitem__(self, row: slice) -> tuple[str, ...]: ...

    def __getitem__(self, row: int | slice) -> str | tuple[str, ...]:
        if isinstance(row, slice):
            return tuple(map(self._id, self._rows[row]))
        return self._id(self._rows[row])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(str.__eq__, self, other))

    def __hash__(self) -> int:
        return hash((self._name, len(self)))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._name!r}, {len(self)})"

    def row_of(self, identity: str) -> int | None:
        """Find the image of an id; None where there is none."""
        digits = identity.removeprefix(f"{self._name}/")
        row = int(digits) if digits.isascii() and digits.isdigit() else -1
        return row if row in self._rows and self._id(row) == identity else None

    def _id(self, row: int) -> str:
        return f"{self._name}/{row:0{_DIGITS}}"
