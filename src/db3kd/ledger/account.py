"""What one stage may spend and spends: limits, leases and charges.

Rows are leased from the file a block at a time, then charged from memory. `Ledger.account` opens accounts and
`db3kd.oracle` charges them; the file itself lives in `storage.py`.
"""

import os
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, final

from db3kd.errors import BudgetExhausted, PlanError, RunError
from db3kd.ledger.storage import Storage

COUNTED: Final = "COALESCE(SUM(CASE WHEN settled IS NULL THEN leased ELSE used END), 0)"

# A lease takes at most this share of what a limit leaves. So the leases shrink towards the end of a budget: a killed
# process wastes a part of the rest instead of all of it, and processes that share a budget do not starve each other.
_SHARE_OF_THE_REST = 8


@dataclass(frozen=True)
class Limits:
    """How many rows may be spent.

    Args:
        run: by all stages together that are not held out, or None for no limit.
        stage: by the stage of the account, or None for no limit.

    Raises:
        PlanError: a limit below 0.
    """

    run: int | None = None
    stage: int | None = None

    def __post_init__(self) -> None:
        for name, limit in (("run", self.run), ("stage", self.stage)):
            if limit is not None and limit < 0:
                raise PlanError(f"the {name}'s limit must be 0 or more queries, or None for no limit; got {limit}")


@final
class Account:
    """What one stage spends; made by `Ledger.account`.

    Rows are leased from the file a block at a time and charged from memory. Threads may share an account;
    a forked process may not.

    Args:
        storage: the file that rows are leased from.
        stage: who spends.
        limits: how much may be spent.
        block: rows leased at a time, at least 1.
        held_out: whether it is booked apart.

    Raises:
        PlanError: a block below 1.
    """

    def __init__(self, storage: Storage, stage: str, *, limits: Limits, block: int, held_out: bool) -> None:
        if block < 1:
            raise PlanError(f"an account leases at least 1 row at a time, got block={block}")
        self._storage, self._stage, self._limits, self._block, self._held_out = storage, stage, limits, block, held_out
        self._lock = threading.Lock()
        self._lease: int | None = None
        self._leased = 0
        self._used = 0
        self._spent = 0

    @property
    def spent(self) -> int:
        """Rows that this account really charged."""
        return self._spent

    def charge(self, rows: int) -> None:
        """Write down that rows are about to be sent; it is on the disk before this returns.

        Args:
            rows: how many, 0 or more.

        Raises:
            BudgetExhausted: a limit leaves fewer than these rows; nothing was charged.
            StorageError: the ledger cannot be written; nothing was charged.
            RunError: the process was forked after the account was opened.

        Cost:
            `rows` queries.
        """
        if rows < 0:
            raise ValueError(f"a charge is of 0 rows or more, got {rows}")
        if os.getpid() != self._storage.process:
            # Both processes would spend the same lease, and the ledger would hold less than the teacher saw.
            raise RunError(
                f"stage {self._stage!r} went on in a forked process with an account of process "
                f"{self._storage.process}; nothing was charged: open the ledger anew in each process"
            )
        with self._lock:
            if self._used + rows > self._leased:
                self._lease_more(self._used + rows - self._leased, rows)
            self._used += rows
            self._spent += rows

    def settle(self) -> None:
        """Give back the leased rows that were not charged; it is on the disk before this returns.

        Raises:
            StorageError: the ledger cannot be written; the lease stays counted in full.
        """
        with self._lock:
            if self._lease is None:
                return
            with self._storage.writing() as connection:
                connection.execute(
                    "UPDATE leases SET used = ?, settled = ? WHERE id = ?", (self._used, _now(), self._lease)
                )
            self._lease, self._leased, self._used = None, 0, 0

    def __enter__(self) -> "Account":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.settle()

    def _lease_more(self, needed: int, wanted: int) -> None:
        with self._storage.writing() as connection:
            granted = max(needed, self._block)
            for counted, limit in self._counted(connection):
                left = limit - counted
                if left < needed:
                    unused = self._leased - self._used
                    raise BudgetExhausted(self._stage, wanted, counted - unused, limit)
                granted = min(granted, max(needed, left // _SHARE_OF_THE_REST))
            # One row of the file per account: the file stays small however many blocks are leased.
            if self._lease is None:
                opened = connection.execute(
                    "INSERT INTO leases (session, stage, held_out, leased, used, opened) VALUES (?, ?, ?, ?, 0, ?)",
                    (self._storage.session, self._stage, int(self._held_out), granted, _now()),
                ).lastrowid
            else:
                opened = self._lease
                connection.execute(
                    "UPDATE leases SET leased = leased + ?, used = ? WHERE id = ?", (granted, self._used, opened)
                )
        # Only now: before the commit the rows might not be on the disk.
        self._lease, self._leased = opened, self._leased + granted

    def _counted(self, connection: sqlite3.Connection) -> Iterator[tuple[int, int]]:
        """Yield what counts against each limit that applies, with that limit."""
        count = f"SELECT {COUNTED} FROM leases WHERE held_out = ?"
        if self._limits.stage is not None:
            scope = (int(self._held_out), self._stage)
            yield connection.execute(f"{count} AND stage = ?", scope).fetchone()[0], self._limits.stage
        if self._limits.run is not None and not self._held_out:
            yield connection.execute(count, (0,)).fetchone()[0], self._limits.run


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
