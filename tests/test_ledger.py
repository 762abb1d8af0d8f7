"""The ledger never holds less than the teacher saw, and a budget is never overspent."""

import sqlite3
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db3kd.errors import ArtifactError, BudgetExhausted, PlanError, RunError, StorageError
from db3kd.ledger import Ledger, Limits, Statement
from processes import finish, kill_after, start


def test_statement_books_stages_and_held_out_ones_apart() -> None:
    with Ledger(None) as ledger:
        for stage, rows, held_out in (
            ("label", 5, False),
            ("pool", 3, False),
            ("evaluate", 7, True),
            ("label", 2, False),
        ):
            with ledger.account(stage, limits=None, held_out=held_out) as account:
                account.charge(rows)
        assert ledger.statement() == Statement(
            by_stage={"label": 7, "pool": 3}, total=10, held_out={"evaluate": 7}, unsettled=0
        )


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


def test_held_out_rows_do_not_count_against_the_run() -> None:
    with Ledger(None) as ledger:
        with ledger.account("label", limits=Limits(run=10)) as account:
            account.charge(10)
        with ledger.account("label", limits=Limits(run=10, stage=5), held_out=True) as held_out:
            held_out.charge(5)
            with pytest.raises(BudgetExhausted):
                held_out.charge(1)


def test_a_charge_is_in_the_file_before_it_returns(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.sqlite") as ledger, Ledger(tmp_path / "ledger.sqlite") as reader:
        account = ledger.account("label", block=10)
        for sent in (1, 10, 11, 35):
            account.charge(sent - account.spent)
            assert reader.statement().total >= sent
        account.settle()
        assert reader.statement() == Statement(by_stage={"label": 35}, total=35, held_out={}, unsettled=0)


def test_an_account_may_go_on_after_it_was_settled() -> None:
    with Ledger(None) as ledger, ledger.account("label", limits=Limits(run=12), block=10) as account:
        account.charge(3)
        account.settle()
        account.settle()
        account.charge(9)
        assert account.spent == 12
        assert ledger.statement().total == 12


def test_a_block_does_not_lease_the_whole_rest_of_a_budget() -> None:
    with Ledger(None) as ledger:
        killed = ledger.account("label", limits=Limits(run=8_000), block=16_384)
        killed.charge(1)
        with ledger.account("label", limits=Limits(run=8_000), block=16_384) as account:
            account.charge(7_000)
        assert ledger.statement().unsettled == 1_000


def test_a_block_is_charged_from_memory(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.sqlite") as ledger, ledger.account("label", block=16_384) as account:
        account.charge(128)
        with sqlite3.connect(tmp_path / "ledger.sqlite", isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")  # whoever wants to write now has to wait
            for _ in range(127):
                account.charge(128)
            other.execute("ROLLBACK")
        other.close()
        assert ledger.statement().total == account.spent == 16_384


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


_SPEND = """
import sys
from pathlib import Path
from db3kd.errors import BudgetExhausted
from db3kd.ledger import Ledger, Limits
path, block, limit = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
with Ledger(path) as ledger, ledger.account("label", limits=Limits(run=limit), block=block) as account:
    try:
        while True:
            account.charge(3)
    except BudgetExhausted:
        pass
print(account.spent)
"""


def test_processes_together_never_exceed_a_limit(tmp_path: Path) -> None:
    # They make the file in the same moment, too.
    processes = [start(_SPEND, tmp_path / "ledger.sqlite", block, 1_500) for block in (1, 50, 1_000)]
    spent = sum(int(finish(process)) for process in processes)
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        assert ledger.statement() == Statement(by_stage={"label": spent}, total=spent, held_out={}, unsettled=0)
    assert 0 < spent <= 1_500


_SEND = """
import sys
from pathlib import Path
from db3kd.ledger import Ledger
with Path(sys.argv[1], "sent").open("ab", buffering=0) as sent:
    account = Ledger(Path(sys.argv[1], "ledger.sqlite")).account("label", block=int(sys.argv[2]))
    while True:
        account.charge(2)
        sent.write(b"xx")
        print("sent")
"""


@pytest.mark.parametrize(("block", "lines"), [(1, 30), (16, 100), (1_000, 200)])
def test_after_a_kill_the_ledger_holds_at_least_what_was_sent(tmp_path: Path, block: int, lines: int) -> None:
    kill_after(start(_SEND, tmp_path, block), lines)
    sent = (tmp_path / "sent").stat().st_size
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        statement = ledger.statement()
    assert sent >= 2 * lines
    assert statement.total - statement.unsettled <= sent <= statement.total
    assert statement.unsettled <= block + 2


_FILL = """
import resource, sys
from pathlib import Path
from db3kd.errors import StorageError
from db3kd.ledger import Ledger
with Ledger(Path(sys.argv[1])) as ledger:
    account = ledger.account("label")
    account.charge(5)
    resource.setrlimit(resource.RLIMIT_FSIZE, (65536, resource.RLIM_INFINITY))
    try:
        for _ in range(1000):
            account.charge(1)
    except StorageError as error:
        print(account.spent, ledger.statement().total, error, sep="|")
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    account.charge(1)
    account.settle()
"""


def test_a_full_disk_refuses_the_charge_and_keeps_what_was_written(tmp_path: Path) -> None:
    spent, total, message = finish(start(_FILL, tmp_path / "ledger.sqlite")).split("|")
    assert 5 <= int(spent) < 1_005
    assert spent == total
    assert "ledger.sqlite" in message
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        assert ledger.statement().total == int(spent) + 1


def _ledger_file(folder: Path) -> Path:
    path = folder / "ledger.sqlite"
    with Ledger(path) as ledger:
        for letter in "abcdefghijklmnop":
            with ledger.account(letter * 900) as account:
                account.charge(1)
    return path


@pytest.mark.parametrize("size", [0, 50, 100, 4096, 5000, 8192])
def test_a_truncated_ledger_is_named_and_refused(tmp_path: Path, size: int) -> None:
    path = _ledger_file(tmp_path)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(ArtifactError, match=r"ledger\.sqlite"):
        Ledger(path)


@pytest.mark.parametrize("offset", [0, 20, 4096, 8200])
def test_an_overwritten_ledger_is_named_and_refused(tmp_path: Path, offset: int) -> None:
    path = _ledger_file(tmp_path)
    content = bytearray(path.read_bytes())
    content[offset : offset + 300] = b"x" * 300
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"ledger\.sqlite"):
        Ledger(path)


@pytest.mark.parametrize(
    "change",
    [
        "PRAGMA user_version = 2",
        "DROP TABLE leases",
        "UPDATE leases SET leased = 'many'",
        "UPDATE leases SET used = -1",
    ],
)
def test_an_edited_ledger_is_named_and_refused(tmp_path: Path, change: str) -> None:
    path = _ledger_file(tmp_path)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA ignore_check_constraints = ON")
    connection.execute(change)
    connection.commit()
    connection.close()
    with pytest.raises(ArtifactError, match=r"ledger\.sqlite"):
        Ledger(path)


def test_a_ledger_that_cannot_be_made_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in ("absent", "file"):
        with pytest.raises(StorageError, match=r"ledger\.sqlite"):
            Ledger(tmp_path / folder / "ledger.sqlite")


def test_nothing_but_the_ledger_is_left_in_the_folder(tmp_path: Path) -> None:
    _ledger_file(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["ledger.sqlite"]


def test_a_forked_process_may_not_spend_the_lease_of_its_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    with Ledger(None) as ledger:
        account = ledger.account("label", block=10)
        account.charge(1)
        monkeypatch.setattr("os.getpid", lambda: -1)
        with pytest.raises(RunError, match="forked"):
            account.charge(1)
        assert account.spent == 1


def test_impossible_limits_blocks_and_charges_are_refused() -> None:
    for limits in ({"run": -1}, {"stage": -1}):
        with pytest.raises(PlanError, match="0 or more"):
            Limits(**limits)
    with Ledger(None) as ledger:
        with pytest.raises(PlanError, match="block=0"):
            ledger.account("label", block=0)
        with pytest.raises(ValueError, match="0 rows or more"):
            ledger.account("label").charge(-1)
