"""Bills add up in the ledger, by stage and over sessions, and prices make money of them."""

import threading
from pathlib import Path

import numpy as np
import pytest

from db3kd.errors import PlanError
from db3kd.ledger import Bill, Ledger, Prices


def test_bills_are_booked_by_stage_and_add_up_over_sessions(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    for _ in range(2):
        with Ledger(path) as ledger, ledger.account("answers") as account:
            account.book(Bill(1, 0, 100, 5))
            account.book(Bill(1, 1, off_list=1))
        with Ledger(path) as ledger, ledger.account("held-out", held_out=True) as account:
            account.book(Bill(1, 0, 7, 1, refused=1))
    with Ledger(path) as ledger:
        found = ledger.statement()
    assert found.bills == {"answers": Bill(4, 2, 200, 10, off_list=2)}
    assert found.held_out_bills == {"held-out": Bill(2, 0, 14, 2, refused=2)}
    assert found.bill == Bill(6, 2, 214, 12, off_list=2, refused=2)


def test_threads_book_on_one_account() -> None:
    with Ledger(None) as ledger, ledger.account("answers") as account:

        def book() -> None:
            for _ in range(100):
                account.book(Bill(1, 0, 3, 2, lost=1))

        threads = [threading.Thread(target=book) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert ledger.statement().bill == Bill(400, 0, 1200, 800, lost=400)


def test_what_more_questions_come_to_is_told_by_the_mean_of_those_counted() -> None:
    assert Bill(4, 1, 300, 10).foretell(10) == Bill(10, 0, 1000, 33)
    assert Bill(4, 4).foretell(10) is None
    assert Bill().foretell(10) is None


def test_money_is_that_of_queries_and_that_of_tokens() -> None:
    bill = Bill(2, 0, 1_000_000, 50_000)
    assert Prices().money(400, bill) is None
    assert Prices(2.5).money(400) == 1.0
    assert Prices(None, 3.0, 10.0).money(2, bill) == pytest.approx(3.5)
    assert Prices(2.5, 3.0).money(400, bill) == pytest.approx(4.0)
    assert Prices(None, None, 10.0).tokens(bill) == pytest.approx(0.5)
    # What is not known is not told as nothing.
    assert Prices(2.5, 3.0).money(400, None) is None


@pytest.mark.parametrize("price", ["2", -1, float("nan"), float("inf"), True, [2.0]])
def test_what_is_no_price_is_refused(price: object) -> None:
    for name in ("per_1000", "per_million_input", "per_million_output"):
        with pytest.raises(PlanError, match=f"{name} must be a number from 0"):
            Prices(**{name: price})  # type: ignore[arg-type]  # as users write it
    with pytest.raises(PlanError, match="currency must be a text"):
        Prices(currency=price if price != "2" else 2)  # type: ignore[arg-type]  # likewise


def test_numbers_of_numpy_are_prices() -> None:
    for price in (np.float32(2), np.int64(2)):
        assert Prices(per_1000=price).money(500) == 1.0  # type: ignore[arg-type]  # as users write it
