"""Each fault of a server under a whole labelling: what was lost, and what was paid twice.

The tests run it small; `python tests/fault_table.py FILE.json IMAGES LONG` runs it long and writes a record's figures.
"""

import json
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from db3kd.boundary.methods import BoundaryDistance
from db3kd.data import Dataset, from_arrays
from db3kd.errors import InvalidDecision
from db3kd.execution import Labelling
from db3kd.pipeline import Budget
from db3kd.pipeline.labelling import label
from db3kd.pipeline.repeating import kept_repeats
from db3kd.runs import Run
from db3kd.teachers import Service
from db3kd.teachers.layout import Stated
from db3kd.teachers.open_inference import OpenInferenceTeacher
from db3kd.teachers.open_inference.teacher import Line
from db3kd.transfer import TransferSet
from known_teachers import Fickle, Sectors
from model_server import Handler, Script, Server, serving

SHAPE = (1, 8, 8)
BATCH, TIMEOUT, SHARE = 32, 0.5, 0.05
_SEARCH = Labelling(BoundaryDistance(exemplars=3), 60)
# Drawn by the request's number, so that threads cannot change which requests fail.
_Draw = Callable[[int], bool]


@dataclass(frozen=True)
class Outcome:
    """What a fault did.

    Args:
        fault: its name.
        requests: that reached the server.
        failed: of these, how many it spoiled.
        needed: rows that the same labelling takes without a fault.
        charged: rows on the ledger.
        paid_twice: the difference.
        served: rows that the server decided; never more than were charged.
        pairs: of an image and a class, in the labels.
        pairs_lost: of these, how many have another decision, distance, count or outcome than without a fault.
        stopped: how often the run ended with an error and was begun again.
        changed: answers that changed when asked again, of 16.
        seconds: that all of it took.
    """

    fault: str
    requests: int
    failed: int
    needed: int
    charged: int
    paid_twice: int
    served: int
    pairs: int
    pairs_lost: int
    stopped: int
    changed: int
    seconds: float


def _sometimes(number: int) -> bool:
    return random.Random(number).random() < SHARE


def _once(number: int) -> bool:
    return number == 8


def _storm(number: int) -> bool:
    return number % 40 in range(10, 22)


def _failing(spoil: Callable[[Handler], None], when: _Draw) -> Script:
    def script(handler: Handler, number: int) -> bool:
        if not when(number):
            return True
        spoil(handler)
        return False

    return script


def _answer(handler: Handler) -> dict[str, object]:
    return handler.known.answer(handler.known.requests[-1], b"")


def _mistaken(handler: Handler) -> None:
    asked = handler.known.requests[-1]
    rows = asked["inputs"][0]["shape"][0]
    output = {"name": "answer", "datatype": "INT64", "shape": [rows], "data": [5] * rows}
    handler.send(200, {"id": asked["id"], "outputs": [output]})


def _hang(handler: Handler) -> None:
    time.sleep(3 * TIMEOUT)
    handler.reset()


HANG, FAILING = "a hang past the time-out", "5% of the answers 500"
FAULTS: dict[str, tuple[Script, _Draw]] = {
    "connections reset": (_failing(lambda handler: handler.reset(), _sometimes), _sometimes),
    FAILING: (_failing(lambda handler: handler.send(500, {"error": "memory"}), _sometimes), _sometimes),
    "429 storms": (
        _failing(lambda handler: handler.send(429, {"error": "later"}, retry_after="0.02"), _storm),
        _storm,
    ),
    "answers cut short": (
        _failing(lambda handler: handler.send(200, _answer(handler), cut=30), _sometimes),
        _sometimes,
    ),
    HANG: (_failing(_hang, _once), _once),
    "wrong class numbers": (_failing(_mistaken, _once), _once),
}
NONE, KILLED, FICKLE = "none", "server killed and restarted in mid-search", "a teacher that is not deterministic"


def pictures(count: int) -> Dataset:
    """Noise to ask about."""
    return from_arrays(torch.rand(count, *SHAPE, generator=torch.Generator().manual_seed(0)))


def suffer(fault: str, images: Dataset, *, kills: int = 2) -> tuple[TransferSet, Outcome]:
    """Label images by a server that has a fault.

    Args:
        fault: one of `FAULTS`, `NONE`, `KILLED` or `FICKLE`.
        images: what is asked.
        kills: how often the server is killed, where it is.

    Returns:
        The labels, and what became of it; it is not yet held against a run without a fault.
    """
    began, stopped, killed = time.monotonic(), 0, threading.Event()
    moments = {12 + 25 * life for life in range(kills)} if fault == KILLED else set()

    def die(handler: Handler) -> None:
        killed.set()
        # The request is there, and its answer never comes.
        time.sleep(0.2)
        handler.reset()

    script, draw = FAULTS.get(fault, (_failing(die, moments.__contains__), moments.__contains__))
    server = Server(Fickle(Sectors(SHAPE), 0.1) if fault == FICKLE else Sectors(SHAPE), script=script)
    service = Service(in_flight=2, patience=60.0)
    line = Line(timeout=TIMEOUT if fault == HANG else 20.0, max_batch=BATCH, service=service)
    with tempfile.TemporaryDirectory() as folder, _alive(server, killed):
        teacher = OpenInferenceTeacher(server.url, stated=Stated(num_classes=5), line=line)
        while stopped < 5:
            with Run(folder) as run:
                try:
                    transfer = label(run, teacher, images, _SEARCH, budget=Budget(repeats=16))
                except InvalidDecision:
                    stopped += 1
                    continue
                charged, repeats = run.statement().total, kept_repeats(run)
                break
    assert repeats is not None
    requests = len(server.requests)
    failed = sum(draw(number + 1) for number in range(requests))
    counted = (fault, requests, failed, charged, charged, 0, server.served, transfer.queries.numel(), 0)
    return transfer, Outcome(*counted, stopped, repeats.changed, round(time.monotonic() - began, 2))


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
        assert up.wait(20)
        yield
    finally:
        over.set()
        thread.join()


def measure(fault: str, images: Dataset, plain: tuple[TransferSet, Outcome], *, kills: int = 2) -> Outcome:
    """Hold a labelling with a fault against the one without.

    Args:
        fault: as above.
        images: what is asked.
        plain: what came without a fault.
        kills: as above.

    Returns:
        All figures. Of a teacher that is not deterministic, nothing can be said of what was paid twice: its answers led
        the search elsewhere.
    """
    transfer, found = suffer(fault, images, kills=kills)
    differ = transfer.decisions[:, None] != plain[0].decisions[:, None]
    for name in ("distances", "queries", "outcomes"):
        differ = differ | (getattr(transfer, name) != getattr(plain[0], name))
    needed = found.charged if fault == FICKLE else plain[1].charged
    return replace(found, needed=needed, paid_twice=found.charged - needed, pairs_lost=int(differ.sum()))


def main(file: Path, count: int, long: int) -> None:
    """Measure all faults, and one of them for longer, and write the figures."""
    images = pictures(count)
    plain = suffer(NONE, images)
    found = [plain[1], *(measure(fault, images, plain, kills=5) for fault in (KILLED, *FAULTS, FICKLE))]
    images = pictures(long)
    longer = measure(FAILING, images, suffer(NONE, images))
    about = {"images": count, "classes": 5, "rows_a_request": BATCH, "in_flight": 2, "search": repr(_SEARCH)}
    figures = {"faults": [asdict(one) for one in found], "longer": {"images": long, **asdict(longer)}}
    file.write_text(json.dumps({**about, **figures}, indent=2) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
