"""Many requests under each fault of a server: the same decisions, nothing lost, and what was paid twice is counted."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import torch

from db3kd.errors import InvalidDecision
from db3kd.ledger import Ledger
from db3kd.oracle import Oracle
from db3kd.teachers import ModelDescription, Service
from db3kd.teachers.open_inference import OpenInferenceTeacher, ServerOptions
from known_teachers import Sectors
from model_server import Handler, Server, serving

pytestmark = pytest.mark.slow

SHAPE, BATCH, REQUESTS, TIMEOUT = (1, 8, 8), 32, 100, 2.0
IMAGES = torch.rand(REQUESTS * BATCH, *SHAPE, generator=torch.Generator().manual_seed(0))


# Drawn by the request's number, so that threads cannot change which requests fail.
def _sometimes(number: int) -> bool:
    return random.Random(number).random() < 0.05


def _storm(number: int) -> bool:
    return number % 40 in range(10, 22)


def _answer(handler: Handler) -> dict[str, object]:
    return handler.known.answer(handler.known.requests[-1], b"")


def _mistake(handler: Handler) -> None:
    asked = handler.known.requests[-1]
    rows = asked["inputs"][0]["shape"][0]
    output = {"name": "answer", "datatype": "INT64", "shape": [rows], "data": [5] * rows}
    handler.send(200, {"id": asked["id"], "outputs": [output]})


def _hang(handler: Handler) -> None:
    time.sleep(3 * TIMEOUT)
    handler.reset()


FAULTS: dict[str, tuple[Callable[[Handler], None], Callable[[int], bool]]] = {
    "connections reset": (lambda handler: handler.reset(), _sometimes),
    "answers 500": (lambda handler: handler.send(500, {"error": "memory"}), _sometimes),
    "429 storms": (lambda handler: handler.send(429, {"error": "later"}, retry_after="0.02"), _storm),
    "answers cut short": (lambda handler: handler.send(200, _answer(handler), cut=30), _sometimes),
    "a hang past the time-out": (_hang, lambda number: number == 8),
    "wrong class numbers": (_mistake, lambda number: number == 8),
    "killed and restarted": (lambda handler: handler.reset(), lambda number: number in (12, 37)),
}


@contextmanager
def _alive(server: Server, killed: threading.Event) -> Iterator[None]:
    """Keep a server up; where it is killed, bring it back at its port after a while."""
    up, over = threading.Event(), threading.Event()

    def live() -> None:
        port = 0
        while not over.is_set():
            killed.clear()
            with serving(server, port):
                port = int(server.url.split(":")[2].split("/")[0])
                up.set()
                while not over.is_set() and not killed.wait(0.01):
                    pass
            over.wait(0.3)

    thread = threading.Thread(target=live)
    thread.start()
    try:
        assert up.wait(60)
        yield
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize("fault", FAULTS)
def test_no_fault_loses_a_decision_and_each_is_counted(fault: str) -> None:
    spoil, fails = FAULTS[fault]
    killed, stopped = threading.Event(), 0

    def script(handler: Handler, number: int) -> bool:
        if not fails(number):
            return True
        if fault == "killed and restarted":
            killed.set()
        spoil(handler)
        return False

    server = Server(Sectors(SHAPE), script=script)
    options = ServerOptions(TIMEOUT if "hang" in fault else 90.0, None, BATCH, Service(in_flight=2, patience=60.0))
    got: list[int] = []
    with _alive(server, killed), Ledger(None) as ledger, ledger.account("label") as account:
        teacher = OpenInferenceTeacher(server.url, description=ModelDescription(num_classes=5), options=options)
        while len(got) < len(IMAGES):
            try:
                for decisions in Oracle(teacher, account, pause=0.01).answers(IMAGES[len(got) :]):
                    got += decisions.tolist()
            except InvalidDecision:
                stopped += 1
        charged = account.spent
    failed = sum(fails(number + 1) for number in range(len(server.requests)))
    paid_twice = charged - len(IMAGES)
    assert got == Sectors(SHAPE)(IMAGES).tolist()
    assert failed > 0
    assert server.served <= charged
    # Two requests may be under way when an error ends the asking, and both are asked again.
    assert paid_twice <= failed * BATCH * (1 + stopped) + 2 * BATCH * (fault == "killed and restarted")
    assert (paid_twice == 0) == (fault == "429 storms")
    assert stopped == (fault == "wrong class numbers")
