"""What came of reading pictures: how many, what was done to them, and which could not be read; told once for all."""

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge
from pydantic import ConfigDict, with_config

from db3kd.data.picture import CHANGES, Shape
from db3kd.errors import DataError

_log = logging.getLogger(__name__)

_SHOWN = 5
_LONGEST = 160


# A report holds it as it is.
@with_config(ConfigDict(extra="forbid", allow_inf_nan=False, revalidate_instances="always"))
@dataclass(frozen=True)
class Reading:
    """What came of reading pictures.

    Args:
        name: name of the data set.
        files: pictures that it has, broken ones too.
        shape: channels, height and width that they were brought to.
        fit: how they were brought to it: "crop", "pad" or "stretch".
        changes: pictures by what was done to them, in the words of `db3kd.data.picture.CHANGES`.
        broken: why a picture was left out, by its name.
    """

    name: str
    files: Annotated[int, Ge(0)]
    shape: Shape
    fit: str
    changes: Mapping[str, Annotated[int, Ge(0)]]
    broken: Mapping[str, str]

    @property
    def sentences(self) -> tuple[str, ...]:
        """What a user must know of it; nothing where all images were as they are wanted."""
        told = []
        if self.changes:
            channels, height, width = self.shape
            done = [f"{self.changes[word]:,} {text}" for word, text in CHANGES.items() if self.changes.get(word)]
            by = f" ({self.fit})" if "scaled" in self.changes else ""
            told.append(
                f"{self.name}: {self.files:,} images brought to {height}x{width} "
                f"{'gray' if channels == 1 else 'RGB'}{by}: {'; '.join(done)}"
            )
        if self.broken:
            told.append(
                f"{self.name}: {len(self.broken):,} of {self.files:,} images cannot be read and were left out: "
                f"{_listed(self.broken)}"
            )
        return tuple(told)

    def tell(self) -> None:
        """Say it in the log."""
        for sentence in self.sentences:
            _log.warning("%s", sentence)


class Tally:
    """Counts what is done while pictures are read, and refuses more broken ones than are allowed."""

    def __init__(self, name: str, files: int, *, stop: bool, share: float) -> None:
        self.name, self._files, self._stop, self._share = name, files, stop, share
        self.changes: Counter[str] = Counter()
        self.broken: dict[str, str] = {}

    def note_changes(self, changes: Mapping[str, int]) -> None:
        """Take note of what was done to pictures."""
        self.changes.update(changes)

    def note_broken(self, name: str, reason: str) -> None:
        """Take note of a picture that cannot be read; a DataError where that is one too many."""
        self.broken[name] = short(reason)
        if self._stop:
            raise DataError(
                f"{self.name}: {name} cannot be read as an image ({self.broken[name]}): nothing was asked; remove "
                "it or get it again, or leave broken files out with broken = 'skip'"
            )
        if len(self.broken) > self._share * self._files:
            raise DataError(
                f"{self.name}: of {self._files:,} images {len(self.broken):,} and maybe more cannot be read as an "
                f"image, and broken_share allows {self._share:.3g} of them: {_listed(self.broken)}: nothing was asked; "
                "remove them or get them again, or raise broken_share"
            )


def short(reason: str) -> str:
    """Give a reason as one line that is not too long."""
    # Names of files need not be text.
    line = " ".join(reason.encode(errors="replace").decode().split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."


def _listed(broken: Mapping[str, str]) -> str:
    shown = [f"{name} ({reason})" for name, reason in list(broken.items())[:_SHOWN]]
    return ", ".join(shown) + (f" and {len(broken) - _SHOWN:,} more" if len(broken) > _SHOWN else "")
