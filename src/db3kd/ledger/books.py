"""The books of a run: accounts are opened here, and the statement says what was spent."""

import sqlite3
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import final

from db3kd.ledger.account import COUNTED, Account, Limits
from db3kd.ledger.bill import Bill
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
        bills: what a service that bills by tokens says that it served, by stage.
        held_out_bills: the same, by held-out stage.
        charged_again: of the rows of each stage, held-out ones too, those that were charged again, since a connection
            or a replica was lost; stages without any are left out. Each is written down before it is sent, so a kill
            loses none. What was in flight when a session ended, and was asked anew by the next one, is not among them.
    """

    by_stage: dict[str, int]
    total: int
    held_out: dict[str, int]
    unsettled: int
    bills: dict[str, Bill] = field(default_factory=dict)
    held_out_bills: dict[str, Bill] = field(default_factory=dict)
    charged_again: dict[str, int] = field(default_factory=dict)

    @property
    def charged(self) -> int:
        """Rows charged in all, by held-out stages too: what a price per query is paid for."""
        return self.total + sum(self.held_out.values())

    @property
    def bill(self) -> Bill:
        """What was served in all, held-out stages too: what a service asks money for."""
        return sum([*self.bills.values(), *self.held_out_bills.values()], Bill())


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
            block: rows leased at a time, at most, and fewer of a slow teacher: the ledger is written some ten times a
                second at most, and a kill wastes about a tenth of a second's rows.
            held_out: book it separately: no part of the total, and no limit of the run applies.

        Returns:
            The account; a context manager that settles on exit.
        """
        return Account(self._storage, stage, limits=limits or Limits(), block=block, held_out=held_out)

    def statement(self) -> Statement:
        """Add up what is written down, in all sessions."""
        with self._storage.reading() as connection:
            rows = connection.execute(
                f"SELECT held_out, stage, {COUNTED}, SUM(CASE WHEN settled IS NULL THEN leased - used ELSE 0 END), "
                "SUM(again) FROM leases GROUP BY held_out, stage ORDER BY MIN(id)"
            ).fetchall()
            bills = _bills(connection)
        by_stage = {stage: counted for held_out, stage, counted, _, _ in rows if not held_out}
        return Statement(
            by_stage,
            total=sum(by_stage.values()),
            held_out={stage: counted for held_out, stage, counted, _, _ in rows if held_out},
            unsettled=sum(unsettled for held_out, _, _, unsettled, _ in rows if not held_out),
            bills=bills[False],
            held_out_bills=bills[True],
            charged_again={stage: again for _, stage, _, _, again in rows if again},
        )

    def close(self) -> None:
        """Close the file; leases that were not settled stay counted in full."""
        self._storage.close()

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def _bills(connection: sqlite3.Connection) -> dict[bool, dict[str, Bill]]:
    found: dict[bool, dict[str, Bill]] = {False: {}, True: {}}
    columns = ", ".join(column.name for column in fields(Bill))
    for held_out, stage, *counts in connection.execute(f"SELECT held_out, stage, {columns} FROM bills ORDER BY rowid"):
        found[bool(held_out)][stage] = Bill(*counts)
    return found
