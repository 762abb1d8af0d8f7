"""The books of a run: accounts are opened here, and the statement says what was spent."""

from dataclasses import dataclass
from pathlib import Path
from typing import final

from db3kd.ledger.account import COUNTED, Account, Limits
from db3kd.ledger.storage import Storage


@dataclass(frozen=True)
class Statement:
    """What a ledger holds, in rows.

    Args:
        by_stage: rows charged by each stage, without held-out ones.
        total: their sum.
        held_out: rows charged by each held-out stage, such as an evaluation.
        unsettled: the part of `total` that is leased and not known to have been sent, since the stage is still at work
            or was killed: the teacher saw between `total - unsettled` and `total` rows.
    """

    by_stage: dict[str, int]
    total: int
    held_out: dict[str, int]
    unsettled: int


@final
class Ledger:
    """A file in which queries are written down before they are sent; one process writes to it, with any threads.

    Args:
        path: the file, made where there is none, or None for a ledger in memory that ends with the object.
    """

    def __init__(self, path: Path | None) -> None:
        self._storage = Storage(path)

    def account(self, stage: str, *, limits: Limits | None = None, block: int = 1, held_out: bool = False) -> Account:
        """Open an account for one stage.

        Args:
            stage: who spends; rows of earlier accounts of this stage count against its limit.
            limits: how much may be spent, or None for no limit.
            block: rows leased at a time; a larger one means fewer writes to the disk, and more rows that a kill wastes.
            held_out: book it separately: no part of the total, and no limit of the run applies.

        Returns:
            The account; a context manager that settles on exit.
        """
        return Account(self._storage, stage, limits=limits or Limits(), block=block, held_out=held_out)

    def statement(self) -> Statement:
        """Add up what is written down, in all sessions."""
        with self._storage.reading() as connection:
            rows = connection.execute(
                f"SELECT held_out, stage, {COUNTED}, SUM(CASE WHEN settled IS NULL THEN leased - used ELSE 0 END) "
                "FROM leases GROUP BY held_out, stage ORDER BY MIN(id)"
            ).fetchall()
        by_stage = {stage: counted for held_out, stage, counted, _ in rows if not held_out}
        held_out_rows = {stage: counted for held_out, stage, counted, _ in rows if held_out}
        unsettled = sum(unsettled for held_out, _, _, unsettled in rows if not held_out)
        return Statement(by_stage, sum(by_stage.values()), held_out_rows, unsettled)

    def close(self) -> None:
        """Close the file; leases that were not settled stay counted in full."""
        self._storage.close()

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
