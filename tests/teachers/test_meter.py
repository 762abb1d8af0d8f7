"""What was billed is read off once, whichever thread wrote it."""

import threading

import pytest
import torch

from db3kd.errors import TeacherError
from db3kd.ledger import Bill, Ledger
from db3kd.oracle import Oracle
from db3kd.teachers import Meter, TeacherSpec
from db3kd.tensors import Float, Int, Tensor


def test_nothing_is_lost_and_nothing_is_read_twice() -> None:
    meter, found, lock = Meter(), Bill(), threading.Lock()

    def work() -> None:
        nonlocal found
        for _ in range(200):
            meter.add(Bill(1, 0, 3, 1))
            read = meter.read_off()
            with lock:
                found += read

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found + meter.read_off() == Bill(800, 0, 2400, 800)
    assert meter.read_off() == Bill()


class Billing:
    """Bills each call, and breaks at the second."""

    def __init__(self) -> None:
        self.meter = Meter()
        self.spec = TeacherSpec((1, 2, 2), 2, max_batch=1, meter=self.meter)
        self.calls = 0

    def __call__(self, images: Float[Tensor, "b c h w"]) -> Int[Tensor, " b"]:
        self.calls += 1
        self.meter.add(Bill(1, 0, 10, 1))
        if self.calls == 2:
            raise ValueError("it broke after it had answered")
        return torch.zeros(len(images), dtype=torch.int64)


def test_a_call_is_booked_also_where_it_fails_and_under_the_stage_that_asked() -> None:
    teacher = Billing()
    with Ledger(None) as ledger:
        with ledger.account("answers") as account, pytest.raises(TeacherError, match="it broke"):
            Oracle(teacher, account)(torch.zeros(3, 1, 2, 2))
        with ledger.account("held-out", held_out=True) as account:
            Oracle(teacher, account)(torch.zeros(1, 1, 2, 2))
        statement = ledger.statement()
    assert statement.bills == {"answers": Bill(2, 0, 20, 2)}
    assert statement.held_out_bills == {"held-out": Bill(1, 0, 10, 1)}
