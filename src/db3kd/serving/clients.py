"""Who may ask a served teacher, how much and how fast.

A client's budget is an account of the ledger, so it holds however many of its requests come at once, and over a
restart where the ledger is a file.
"""

import hashlib
import hmac
import threading
import time
from collections.abc import Callable, Mapping
from typing import final

from db3kd.ledger import Account, Ledger, Limits
from db3kd.serving.grants import Grant

ANYBODY = "anybody"
_BLOCK = 4096


@final
class Client:
    """One client: its account, and its rate; after a pause `burst` rows may come at once."""

    def __init__(
        self, account: Account, rows_per_second: float | None, burst: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.account = account
        self._rate, self._burst, self._clock = rows_per_second, float(burst), clock
        self._lock = threading.Lock()
        self._left, self._seen = self._burst, clock()

    def admit(self, rows: int) -> float:
        """Count rows, at most the burst, and give 0; or count nothing and give the seconds to wait."""
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
    """All clients, found by their tokens; without grants, anybody may ask without a limit.

    Args:
        ledger: counts what they spend, by their names.
        grants: by the client's name.
        burst: rows of the largest request.
    """

    def __init__(self, ledger: Ledger, grants: Mapping[str, Grant], *, burst: int) -> None:
        self._anybody: Client | None = None
        self._by_digest: dict[str, Client] = {}
        for name, grant in (grants or {ANYBODY: Grant()}).items():
            account = ledger.account(name, limits=Limits(stage=grant.budget), block=_BLOCK)
            client = Client(account, grant.rows_per_second, max(burst, int(grant.rows_per_second or 0)))
            if grant.token_sha256 is None:
                self._anybody = client
            else:
                self._by_digest[grant.token_sha256.lower()] = client

    def recognise(self, authorization: str | None) -> Client | None:
        """Find the client by its header `Authorization`; None for a stranger where tokens are needed."""
        kind, _, token = (authorization or "").partition(" ")
        found = None
        if kind.lower() == "bearer":
            given = hashlib.sha256(token.strip().encode("utf-8", "surrogateescape")).hexdigest()
            # All are compared, so that the time it takes says nothing about them.
            for digest, client in self._by_digest.items():
                if hmac.compare_digest(digest, given):
                    found = client
        return found or self._anybody

    def close(self) -> None:
        """Give back what was leased and not spent."""
        for client in (*self._by_digest.values(), self._anybody):
            if client is not None:
                client.account.settle()
