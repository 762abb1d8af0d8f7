"""A whole labelling under each fault of a server: the same labels, nothing lost, and what was paid twice is counted."""

import pytest

from db3kd.transfer import TransferSet
from fault_table import BATCH, FAULTS, FICKLE, KILLED, NONE, Outcome, measure, pictures, suffer

pytestmark = pytest.mark.slow
IMAGES = pictures(10)


@pytest.fixture(scope="module")
def plain() -> tuple[TransferSet, Outcome]:
    return suffer(NONE, IMAGES)


@pytest.mark.parametrize("fault", [KILLED, *FAULTS])
def test_no_fault_loses_a_label_and_each_is_counted(fault: str, plain: tuple[TransferSet, Outcome]) -> None:
    found = measure(fault, IMAGES, plain)
    assert found.failed > 0
    assert (found.pairs_lost, found.changed) == (0, 0)
    assert found.served <= found.charged == found.needed + found.paid_twice
    # Two requests may be under way when a run ends, and both are asked again by the next one.
    assert found.paid_twice <= found.failed * BATCH * (1 + found.stopped)
    assert (found.paid_twice == 0) == (fault == "429 storms")
    assert found.stopped == (fault == "wrong class numbers")


def test_a_teacher_that_is_not_deterministic_is_noticed(plain: tuple[TransferSet, Outcome]) -> None:
    found = measure(FICKLE, IMAGES, plain)
    assert found.changed > 0
    assert found.pairs_lost > 0
