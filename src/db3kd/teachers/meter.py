"""A meter: a teacher writes on it what its service bills, and the oracle reads it off and books it."""

import threading
from typing import final

from db3kd.ledger import Bill


@final
class Meter:
    """What was billed since it was read last; threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bill = Bill()

    def add(self, bill: Bill) -> None:
        """Add what a call was billed."""
        with self._lock:
            self._bill += bill

    def read_off(self) -> Bill:
        """Give what was billed since the last time, and begin again at nothing."""
        with self._lock:
            bill, self._bill = self._bill, Bill()
        return bill
