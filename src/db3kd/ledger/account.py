"""What one stage may spend and spends: limits, leases and charges.

Rows are leased from the file a block at a time, then charged from memory. `Ledger.account` opens accounts and
`db3kd.oracle` charges them.
"""

import math
import sqlite3
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Final, final

from db3kd.errors import BudgetExhausted, PlanError
from db3kd.ledger.bill import Bill
from db3kd.ledger.storage import Storage

COUNTED: Final = "COALESCE(SUM(CASE WHEN settled IS NULL THEN leased ELSE used END), 0)"

# A kill wastes what is leased and was not sent. So a lease is for about so many seconds: one that was used up sooner is
# followed by one of twice its rows, another one by half of them. It takes at most a share of what a limit leaves.
_SECONDS_OF_A_LEASE, _SHARE_OF_THE_REST = 0.1, 8


@dataclass(frozen=True)
class Limits:
    """How many rows may be spent.

    Args:
        run: by all stages together that are not held out, or None for no limit.
        stage: by the stage of the account, or None for no limit.
    """

    run: int | None = None
    stage: int | None = None

    def __post_init__(self) -> None:
        for name, limit in (("run", self.run), ("stage", self.stage)):
            if limit is not None and limit < 0:
                raise PlanError(f"the {name}'s limit must be 0 or more queries, or None for no limit; got {limit}")


@final
class Account:
    """What one stage spends; `Ledger.account` makes it, and threads may share it."""

    def __init__(self, storage: Storage, stage: str, *, limits: Limits, block: int, held_out: bool) -> None:
        if block < 1:
            raise PlanError(f"an account leases at least 1 row at a time, got block={block}")
        self._storage, self._stage, self._limits, self._block, self._held_out = storage, stage, limits, block, held_out
        self._lock = threading.Lock()
        self._lease: int | None = None
        self._leased = self._used = self._spent = 0
        self._usual, self._since = 1, -math.inf

    @property
    def spent(self) -> int:
        """Rows that this account really charged."""
        return self._spent

    def charge(self, rows: int, *, again: bool = False) -> None:
        """Write down that rows are about to be sent; it is on the disk before this returns.

        Args:
            rows: how many, 0 or more; the cost, in queries.
            again: whether they were charged before, and may have been served, and no answer came.

        Raises:
            BudgetExhausted: a limit leaves fewer than these rows; nothing was charged.
            StorageError: the ledger cannot be written; nothing was charged.
        """
        if rows < 0:
            raise ValueError(f"a charge is of 0 rows or more, got {rows}")
        with self._lock:
            if self._used + rows > self._leased:
                self._lease_more(self._used + rows - self._leased, rows)
            if again:
                self._count_again(rows)
            self._used += rows
            self._spent += rows

    @property
    def left(self) -> int | None:
        """Rows that may still be charged, or None where there is no limit."""
        with self._lock, self._storage.reading() as connection:
            left = [limit - counted for counted, limit in self._counted(connection)]
            return min(left) + self._leased - self._used if left else None

    def release(self, rows: int, *, again: bool = False) -> None:
        """Take rows off what was charged last, as it was charged; they were surely not sent and never will be."""
        with self._lock:
            if not 0 <= rows <= self._used:
                raise ValueError(f"of {self._used} rows that were charged, {rows} cannot be released")
            if again:
                self._count_again(-rows)
            self._used -= rows
            self._spent -= rows

    def book(self, bill: Bill) -> None:
        """Add what the service says that it served; it is on the disk before this returns, and no limit applies.

        Args:
            bill: of one call or of several.

        Raises:
            StorageError: the ledger cannot be written; this bill is not in it.
        """
        names = [field.name for field in fields(bill)]
        columns, added = ", ".join(names), ", ".join(f"{name} = {name} + excluded.{name}" for name in names)
        with self._storage.writing() as connection:
            connection.execute(
                f"INSERT INTO bills (stage, held_out, {columns}) VALUES ({', '.join('?' * (len(names) + 2))}) "
                f"ON CONFLICT (stage, held_out) DO UPDATE SET {added}",
                (self._stage, self._held_out, *bill.counts),
            )

    def settle(self) -> None:
        """Give back the leased rows that were not charged; where that cannot be written, they stay counted in full."""
        with self._lock:
            if self._lease is None:
                return
            settled = (self._used, datetime.now(UTC).isoformat(timespec="milliseconds"), self._lease)
            with self._storage.writing() as connection:
                connection.execute("UPDATE leases SET used = ?, settled = ? WHERE id = ?", settled)
            self._lease, self._leased, self._used = None, 0, 0

    def __enter__(self) -> "Account":
        return self

    def __exit__(self, *error: object) -> None:
        self.settle()

    def _count_again(self, rows: int) -> None:
        """At once: it is rare, and a kill would lose it."""
        with self._storage.writing() as connection:
            connection.execute("UPDATE leases SET again = again + ? WHERE id = ?", (rows, self._lease))

    def _lease_more(self, needed: int, wanted: int) -> None:
        with self._storage.writing() as connection:
            now = time.monotonic()
            pace = self._usual * 2 if now - self._since < _SECONDS_OF_A_LEASE else self._usual // 2
            granted = self._usual = max(needed, min(pace, self._block))
            for counted, limit in self._counted(connection):
                left = limit - counted
                if left < needed:
                    raise BudgetExhausted(self._stage, wanted, counted - (self._leased - self._used), limit)
                granted = min(granted, max(needed, left // _SHARE_OF_THE_REST))
            # One row of the file per account: the file stays small however many blocks are leased.
            lease = connection.execute(
                "INSERT INTO leases (id, stage, held_out, leased, used) VALUES (?, ?, ?, ?, ?) "
                "ON CONFLICT (id) DO UPDATE SET leased = excluded.leased, used = excluded.used RETURNING id",
                (self._lease, self._stage, self._held_out, self._leased + granted, self._used),
            ).fetchone()[0]
        # Only now: before the commit the rows might not be on the disk.
        self._lease, self._leased, self._since = lease, self._leased + granted, now

    def _counted(self, connection: sqlite3.Connection) -> Iterator[tuple[int, int]]:
        """Yield what counts against each limit that applies, with that limit."""
        count = f"SELECT {COUNTED} FROM leases WHERE held_out = ?"
        if self._limits.stage is not None:
            scope = (self._held_out, self._stage)
            yield connection.execute(f"{count} AND stage = ?", scope).fetchone()[0], self._limits.stage
        if self._limits.run is not None and not self._held_out:
            yield connection.execute(count, (0,)).fetchone()[0], self._limits.run
