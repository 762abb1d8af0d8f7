"""Who may ask a served teacher, how much and how fast.

A client's budget is an account of the ledger, so it holds however many of its requests come at once, and over a
restart where the ledger is a file. Called by `application.py`.
"""

import hashlib
import hmac
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import final

from db3kd.ledger import Account, Ledger
from db3kd.ledger import Limits as SpendingLimits

ANYBODY = "anybody"
_BLOCK = 4096


@dataclass(frozen=True)
class Grant:
    """What a client may do.

    Args:
        token_sha256: digest of its bearer token, in hexadecimal; None for anybody who comes.
        budget: most rows in all, or None for no limit.
        rows_per_second: most rows a second, on average, or None for no limit.
    """

    token_sha256: str | None = None
    budget: int | None = None
    rows_per_second: float | None = None


@final
class Client:
    """One client: its account, and how fast it goes.

    Args:
        account: pays for it.
        rows_per_second: most rows a second, or None.
        burst: rows that may come at once after a pause; at least a full request.
        clock: tells the time, in seconds.
    """

    def __init__(
        self, account: Account, rows_per_second: float | None, burst: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.account = account
        self._rate, self._burst, self._clock = rows_per_second, float(burst), clock
        self._lock = threading.Lock()
        self._left, self._seen = self._burst, clock()

    def admit(self, rows: int) -> float:
        """Let rows pass, or say when to come again.

        Args:
            rows: at most the burst.

        Returns:
            0 where they may pass now and are counted; else seconds to wait, and nothing was counted.
        """
        if self._rate is None:
            return 0.0
        with self._lock:
            now = self._clock()
            self._left = min(self._burst, self._left + (now - self._seen) * self._rate)
            self._seen = now
            if rows <= self._left:
                self._left -= rows
                return 0.0
            return (rows - self._left) / self._rate


@final
class Clients:
    """Tells clients by their tokens.

    Args:
        ledger: counts what they spend, by their names.
        grants: by the client's name; without any, anybody may ask without a limit.
        burst: rows of the largest request.
    """

    def __init__(self, ledger: Ledger, grants: Mapping[str, Grant], *, burst: int) -> None:
        self._anybody: Client | None = None
        self._by_digest: dict[str, Client] = {}
        for name, grant in (grants or {ANYBODY: Grant()}).items():
            account = ledger.account(name, limits=SpendingLimits(stage=grant.budget), block=_BLOCK)
            client = Client(account, grant.rows_per_second, max(burst, int(grant.rows_per_second or 0)))
            if grant.token_sha256 is None:
                self._anybody = client
            else:
                self._by_digest[grant.token_sha256.lower()] = client

    def recognise(self, authorization: str | None) -> Client | None:
        """Find who asks.

        Args:
            authorization: the header of that name.

        Returns:
            The client, or None for a stranger where tokens are needed.
        """
        kind, _, token = (authorization or "").partition(" ")
        if kind.lower() == "bearer":
            given = hashlib.sha256(token.strip().encode("utf-8", "surrogateescape")).hexdigest()
            found = None
            # All are compared, in a time that tells nothing of them.
            for digest, client in self._by_digest.items():
                if hmac.compare_digest(digest, given):
                    found = client
            if found is not None:
                return found
        return self._anybody

    def close(self) -> None:
        """Give back what was leased and not spent."""
        for client in {*self._by_digest.values(), *({self._anybody} - {None})}:
            if client is not None:
                client.account.settle()
