"""A budget is never overspent, however many rows are leased and however many threads spend."""

import sqlite3
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db3kd.errors import BudgetExhausted, PlanError
from db3kd.ledger import Ledger, Limits


@given(
    limit=st.none() | st.integers(0, 300),
    scope=st.sampled_from(["run", "stage"]),
    block=st.integers(1, 100),
    charges=st.lists(st.integers(0, 60), max_size=20),
)
def test_a_charge_is_refused_exactly_when_the_limit_leaves_less(
    limit: int | None, scope: str, block: int, charges: list[int]
) -> None:
    limits = Limits(run=limit) if scope == "run" else Limits(stage=limit)
    spent = 0
    with Ledger(None) as ledger:
        with ledger.account("label", limits=limits, block=block) as account:
            for rows in charges:
                if limit is not None and spent + rows > limit:
                    with pytest.raises(BudgetExhausted) as caught:
                        account.charge(rows)
                    assert (caught.value.wanted, caught.value.spent, caught.value.limit) == (rows, spent, limit)
                else:
                    account.charge(rows)
                    spent += rows
                statement = ledger.statement()
                assert account.spent == spent
                assert statement.total - statement.unsettled <= spent <= statement.total <= (limit or spent + block)
        assert ledger.statement().total == spent
        assert ledger.statement().unsettled == 0


def test_the_limits_of_run_and_stage_count_what_earlier_sessions_spent(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.sqlite") as ledger, ledger.account("pool") as account:
        account.charge(40)
    with (
        Ledger(tmp_path / "ledger.sqlite") as ledger,
        ledger.account("label", limits=Limits(run=100, stage=70)) as account,
    ):
        account.charge(60)
        with pytest.raises(BudgetExhausted, match="100"):
            account.charge(1)
    with (
        Ledger(tmp_path / "ledger.sqlite") as ledger,
        ledger.account("label", limits=Limits(run=200, stage=70)) as account,
    ):
        account.charge(10)
        with pytest.raises(BudgetExhausted, match="70"):
            account.charge(1)


def test_rows_that_were_not_sent_are_released_and_may_be_spent(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        with ledger.account("label", limits=Limits(run=100)) as account:
            account.charge(90)
            account.release(80)
            assert account.spent == 10
            account.charge(90)
            with pytest.raises(BudgetExhausted):
                account.charge(1)
            for rows in (-1, 101):
                with pytest.raises(ValueError, match="released"):
                    account.release(rows)
        assert ledger.statement().total == 100


def test_what_is_left_is_what_the_nearest_limit_leaves() -> None:
    with Ledger(None) as ledger:
        with ledger.account("label") as account:
            account.charge(3)
            assert account.left is None
        with ledger.account("label", limits=Limits(run=50, stage=20), block=8) as account:
            for spent in range(18):
                assert account.left == 17 - spent
                if spent < 17:
                    account.charge(1)
            account.release(2)
            assert account.left == 2


def test_a_row_charged_again_and_not_sent_is_released_as_such() -> None:
    with Ledger(None) as ledger:
        with ledger.account("label") as account:
            account.charge(5)
            account.charge(5, again=True)
            account.release(5, again=True)
        assert ledger.statement().total == 5
        assert not ledger.statement().charged_again


def test_held_out_rows_do_not_count_against_the_run() -> None:
    with Ledger(None) as ledger:
        with ledger.account("label", limits=Limits(run=10)) as account:
            account.charge(10)
        with ledger.account("label", limits=Limits(run=10, stage=5), held_out=True) as held_out:
            held_out.charge(5)
            with pytest.raises(BudgetExhausted):
                held_out.charge(1)


def test_an_account_may_go_on_after_it_was_settled() -> None:
    with Ledger(None) as ledger, ledger.account("label", limits=Limits(run=12), block=10) as account:
        account.charge(3)
        account.settle()
        account.settle()
        account.charge(9)
        assert account.spent == 12
        assert ledger.statement().total == 12


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Time that passes only where a test says so."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr("db3kd.ledger.account.time.monotonic", lambda: clock.now)
    return clock


def test_a_block_does_not_lease_the_whole_rest_of_a_budget(clock: SimpleNamespace) -> None:
    with Ledger(None) as ledger:
        killed = ledger.account("label", limits=Limits(run=8_000), block=16_384)
        while killed.spent < 4_000:
            killed.charge(1)
            assert ledger.statement().unsettled <= 1_000
        with ledger.account("label", limits=Limits(run=8_000), block=16_384) as account:
            account.charge(3_580)
            with pytest.raises(BudgetExhausted):
                account.charge(1)
        # The last lease, of which 420 rows were not sent.
        assert ledger.statement().unsettled == 511
        assert ledger.statement().total == killed.spent + 420 + account.spent == 8_000


def test_of_a_slow_teacher_no_more_is_leased_than_is_sent(clock: SimpleNamespace) -> None:
    with Ledger(None) as ledger, ledger.account("label", block=16_384) as account:
        for _ in range(20):
            account.charge(8)
            assert ledger.statement().total == account.spent
            clock.now += 1.0
        # A quick stretch leases more at a time, and the slow one after it less and less.
        for _ in range(200):
            account.charge(8)
        ahead = ledger.statement().total - account.spent
        assert ahead > 8 * 20
        for _ in range(200):
            account.charge(8)
            clock.now += 1.0
        assert ledger.statement().total == account.spent


def test_a_block_is_charged_from_memory(tmp_path: Path, clock: SimpleNamespace) -> None:
    with Ledger(tmp_path / "ledger.sqlite") as ledger, ledger.account("label", block=16_384) as account:
        while ledger.statement().total - account.spent < 16_000:
            account.charge(128)
        # Leases of 128 rows and twice as many each time.
        assert account.spent == 16_384
        with sqlite3.connect(tmp_path / "ledger.sqlite", isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")  # whoever wants to write now has to wait
            for _ in range(127):
                account.charge(128)
            other.execute("ROLLBACK")
        other.close()
        assert ledger.statement().total == account.spent == 32_640


def test_threads_share_an_account() -> None:
    with Ledger(None) as ledger, ledger.account("label", limits=Limits(run=4_000), block=7) as account:

        def spend() -> None:
            for _ in range(1_000):
                account.charge(1)

        threads = [threading.Thread(target=spend) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert account.spent == ledger.statement().total == 4_000


def test_what_is_charged_again_is_on_the_disk_before_it_is_sent_and_adds_up_over_sessions(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with Ledger(path) as ledger, Ledger(path) as reader, ledger.account("label", block=16_384) as account:
        account.charge(8)
        account.charge(5, again=True)
        # Neither settled nor closed, as after a kill.
        assert reader.statement().charged_again == {"label": 5}
        account.release(3)
    with Ledger(path) as ledger:
        with ledger.account("label", limits=Limits(run=30)) as account:
            account.charge(18)
            account.charge(1, again=True)
            with pytest.raises(BudgetExhausted):
                account.charge(2, again=True)
        with ledger.account("held-out", held_out=True) as account:
            account.charge(4)
            account.charge(2, again=True)
        with ledger.account("pool") as account:
            account.charge(1)
        found = ledger.statement()
    assert found.charged_again == {"label": 6, "held-out": 2}
    assert (found.by_stage, found.held_out) == ({"label": 29, "pool": 1}, {"held-out": 6})


def test_impossible_limits_blocks_and_charges_are_refused() -> None:
    for limits in ({"run": -1}, {"stage": -1}):
        with pytest.raises(PlanError, match="0 or more"):
            Limits(**limits)
    with Ledger(None) as ledger:
        with pytest.raises(PlanError, match="block=0"):
            ledger.account("label", block=0)
        with pytest.raises(ValueError, match="0 rows or more"):
            ledger.account("label").charge(-1)
