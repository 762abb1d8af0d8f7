"""A real server process: a header without end is refused, and one that is killed and restarted loses nothing."""

import socket
import subprocess
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import urllib3

from db3kd.errors import PlanError
from db3kd.ledger import Ledger
from db3kd.oracle import Oracle
from db3kd.serving.binding import bound
from db3kd.teachers import Service
from db3kd.teachers.open_inference import OpenInferenceTeacher, ServerOptions
from known_teachers import Sectors
from logged_teacher import CLASSES, PROTOTYPES, SIDE, rows_seen
from processes import start
from served_program import free_ports
from served_teacher import served

_SERVE = """
import sys
sys.path.insert(0, sys.argv[2])
from db3kd.ledger import Ledger
from db3kd.serving import Clients, RequestLimits, make_application
from db3kd.serving.binding import bound, listen
from db3kd.teachers import FunctionTeacher
from logged_teacher import CLASSES, SIDE, decide
teacher = FunctionTeacher(decide, input_shape=(1, SIDE, SIDE), num_classes=CLASSES, max_batch=64)
listen(make_application(teacher, Clients(Ledger(None), {}, burst=1024)), bound("127.0.0.1", int(sys.argv[1])))
"""


def _serve(port: int) -> subprocess.Popen[str]:
    process = start(_SERVE, port, Path(__file__).parents[1])
    deadline = time.monotonic() + 60
    while True:
        try:
            if urllib3.request("GET", f"http://127.0.0.1:{port}/v2/health/ready", retries=False).status == 200:
                return process
        except urllib3.exceptions.HTTPError:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.05)


@pytest.mark.parametrize("host", ["no.such.host.invalid", "192.0.2.1", "a" * 70, "::zz"])
def test_an_address_that_cannot_be_had_is_refused(host: str) -> None:
    with pytest.raises(PlanError, match=r"cannot be listened at .* nothing was served"):
        bound(host, 0)


def test_a_port_that_is_taken_is_refused() -> None:
    with bound("127.0.0.1", 0) as line, pytest.raises(PlanError, match="in use"):
        bound("127.0.0.1", line.getsockname()[1])


def test_a_header_without_end_is_refused() -> None:
    with served(Sectors()) as url, socket.create_connection(("127.0.0.1", int(url.split(":")[2])), timeout=20) as line:
        line.sendall(b"GET /v2 HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 2**17)
        assert b"400" in line.recv(100)


@pytest.mark.slow
def test_a_server_killed_and_restarted_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "rows"
    monkeypatch.setenv("LOGGED_ROWS", str(log))
    monkeypatch.setenv("LOGGED_SECONDS", "0.02")
    (port,) = free_ports(1)
    images = torch.rand(1600, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    expected = [((PROTOTYPES - image[0]) ** 2).sum((1, 2)).argmin() for image in images.numpy()]
    server, got = _serve(port), list[int]()
    options = ServerOptions(max_batch=16, service=Service(in_flight=2, patience=300.0))
    with Ledger(None) as ledger, ledger.account("label") as account:
        teacher = OpenInferenceTeacher(f"http://127.0.0.1:{port}/v2/models/teacher", options=options)
        assert teacher.spec.num_classes == CLASSES
        asking = threading.Thread(target=lambda: got.extend(Oracle(teacher, account)(images).tolist()))
        asking.start()
        try:
            while rows_seen(log) < 500:
                assert asking.is_alive()
                time.sleep(0.01)
            server.kill()
            server.communicate()
            server = _serve(port)
            asking.join(60)
        finally:
            server.kill()
            server.communicate()
        # Paid twice: at most the calls that were in flight, and the ledger is never below what was served.
        assert len(images) <= rows_seen(log) <= account.spent <= len(images) + 2 * 16
    assert np.array_equal(got, expected)
