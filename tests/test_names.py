"""Names lead to what they stand for, and a wrong one is refused with the right ones."""

import subprocess
import sys
from collections.abc import Mapping

import pytest

from db3kd.boundary import BoundaryDistance
from db3kd.errors import PlanError
from db3kd.names import ACQUISITIONS, POOLS, SEARCHES, SOFTENINGS, find

TABLES = {"searches": SEARCHES, "softenings": SOFTENINGS, "pools": POOLS, "acquisitions": ACQUISITIONS}
NOT_A_FACTORY = 1


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_every_name_leads_somewhere(table: Mapping[str, str]) -> None:
    for name in table:
        assert getattr(find(table, name), "__name__", "") == table[name].partition(":")[2]


def test_ones_own_is_found_by_its_place() -> None:
    assert find(SEARCHES, "db3kd.boundary.bisection:BoundaryDistance") is BoundaryDistance


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("dba", r"'dba' is unknown: expected one of sd, bd, mbd, guided, or package.module:factory"),
        ("", "is unknown"),
        ("bd:", "is unknown"),
        ("no_such_package:search", "cannot be imported .* PYTHONPATH"),
        ("db3kd.boundary:Search2", "has no 'Search2': expected one of sd"),
        ("test_names:NOT_A_FACTORY", "is int, which cannot be called"),
    ],
)
def test_a_wrong_name_is_refused_with_the_right_ones(name: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "test_names", sys.modules[__name__])
    with pytest.raises(PlanError, match=message):
        find(SEARCHES, name)


def test_the_table_can_be_read_without_torch() -> None:
    code = "import sys, db3kd.names; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
