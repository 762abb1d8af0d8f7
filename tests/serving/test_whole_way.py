"""The whole way over HTTP, a killed server included: byte for byte what the teacher in the process gives."""

import signal
import socket
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import urllib3

from command_line import Caller, finish, start
from db3kd.runs import Run
from db3kd.transfer import transfer_from_bytes
from logged_teacher import rows_seen, write_images

_TEACHER = "python:logged_teacher:decide?input_shape=1,16,16&num_classes=4&max_batch=64"


def _free_port() -> int:
    with socket.socket() as probing:
        probing.bind(("127.0.0.1", 0))
        return int(probing.getsockname()[1])


def _serve(port: int, log: Path, *options: object) -> subprocess.Popen[str]:
    process = start("serve", "--teacher", _TEACHER, "--port", port, *options, environment={"LOGGED_ROWS": str(log)})
    deadline = time.monotonic() + 60
    while True:
        try:
            if urllib3.request("GET", f"http://127.0.0.1:{port}/v2/health/ready", retries=False).status == 200:
                return process
        except urllib3.exceptions.HTTPError:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.05)


def _bought(run: Path) -> list[bytes]:
    """All labels of a run, as bytes."""
    with Run(run) as opened:
        transfer = transfer_from_bytes(opened.get("transfer.safetensors") or b"", str(run))
    tables = (transfer.decisions, transfer.distances, transfer.queries, transfer.outcomes)
    return [np.asarray(table).tobytes() for table in tables]


@pytest.fixture
def images(tmp_path: Path) -> str:
    return write_images(tmp_path / "tiny.npz")


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Caller:
    return Caller(capsys)


def test_label_and_distil_over_http_are_byte_for_byte_those_in_the_process(
    call: Caller, images: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGGED_ROWS", str(tmp_path / "here"))
    label = ("label", "--images", images, "--method", "bd", "--exemplars", 3)
    student = ("distill", "--student", "lenet5-fifth", "--epochs", 2, "--baselines", "none")
    call(*label, "--teacher", _TEACHER, "--run", tmp_path / "in")
    call(*student, "--run", tmp_path / "in")
    port, log, ledger = _free_port(), tmp_path / "there", tmp_path / "budgets.sqlite"
    server = _serve(port, log, "--ledger", ledger)
    try:
        uri = f"http://127.0.0.1:{port}/v2/models/teacher?max_batch=64&in_flight=3"
        figures = call(*label, "--teacher", uri, "--run", tmp_path / "over", "--json").figures
        call(*student, "--run", tmp_path / "over")
    finally:
        server.send_signal(signal.SIGTERM)
        finish(server, expect=130)
    assert _bought(tmp_path / "over") == _bought(tmp_path / "in")
    # The student's header names what it was trained on, and nothing of the teacher: the very same file.
    assert (tmp_path / "over/student.safetensors").read_bytes() == (tmp_path / "in/student.safetensors").read_bytes()
    assert figures["queries"]["total"] == rows_seen(log) == rows_seen(tmp_path / "here")


@pytest.mark.slow
def test_a_server_killed_in_mid_search_and_restarted_loses_nothing(
    images: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Caller
) -> None:
    monkeypatch.setenv("LOGGED_ROWS", str(tmp_path / "here"))
    label = ("label", "--images", images, "--method", "bd", "--exemplars", 3)
    call(*label, "--teacher", _TEACHER, "--run", tmp_path / "in")
    port, log = _free_port(), tmp_path / "there"
    server = _serve(port, log)
    uri = f"http://127.0.0.1:{port}/v2/models/teacher?max_batch=16&patience=300"
    asking = start(*label, "--teacher", uri, "--run", tmp_path / "over")
    try:
        while rows_seen(log) < 500:
            assert asking.poll() is None, asking.communicate()
            time.sleep(0.01)
        server.kill()
        server.communicate()
        server = _serve(port, log)
        told = finish(asking).err
    finally:
        server.kill()
        server.communicate()
        asking.kill()
        asking.communicate()
    assert _bought(tmp_path / "over") == _bought(tmp_path / "in")
    with Run(tmp_path / "over") as run:
        charged = run.statement().total
    asked = rows_seen(tmp_path / "here")
    assert ("charged again" in told) == (charged > asked)
    # Paid twice: at most the calls that were in flight, and the ledger is never below what was served.
    assert asked <= rows_seen(log) <= charged <= asked + 4 * 16
