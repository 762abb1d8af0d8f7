"""The ledger never holds less than the teacher saw, and a damaged one is refused."""

import sqlite3
from pathlib import Path

import pytest

from db3kd.errors import ArtifactError, StorageError
from db3kd.ledger import Ledger
from processes import finish, kill_after, start

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


@pytest.mark.parametrize("offset", [0, 20, 4096, 16_392])
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
        "PRAGMA user_version = 3",
        "DROP TABLE leases",
        "UPDATE leases SET leased = 'many'",
        "UPDATE leases SET used = -1",
        "UPDATE leases SET again = leased + 1",
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


@pytest.mark.parametrize("damage", [None, b"", b"x" * 5000])
def test_a_ledger_that_was_deleted_counts_from_0_whatever_a_kill_left_beside_it(
    tmp_path: Path, damage: bytes | None
) -> None:
    kill_after(start(_SEND, tmp_path, 1), 20)
    path = tmp_path / "ledger.sqlite"
    assert (tmp_path / "ledger.sqlite-wal").stat().st_size > 0
    if damage is not None:
        path.write_bytes(damage)
        with pytest.raises(ArtifactError, match="or delete it to count from 0 again"):
            Ledger(path)
    path.unlink()
    with Ledger(path) as ledger:
        assert ledger.statement().total == 0
        with ledger.account("label") as account:
            account.charge(3)
    with Ledger(path) as ledger:
        assert ledger.statement().total == 3
