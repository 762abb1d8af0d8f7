"""Clients that keep the server waiting are sent away; nobody else notices them, and nothing of them stays."""

import resource
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import repeat

import orjson
import pytest
import torch
import urllib3
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db3kd.serving import Grant, Limits, connections
from db3kd.tensors import Float, Int, Tensor
from known_teachers import Sectors, Slow
from served_teacher import served

SHAPE = (1, 4, 4)
INFER = "/v2/models/teacher/infer"
BODY = orjson.dumps({"inputs": [{"name": "images", "datatype": "FP32", "shape": [1, *SHAPE], "data": [0.5] * 16}]})
ASKED = f"POST {INFER} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(BODY)}\r\n\r\n".encode() + BODY
PATIENCE = 0.4


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEADER_SECONDS", PATIENCE)
    monkeypatch.setattr(connections, "READING_SECONDS", PATIENCE)


@contextmanager
def _line(url: str) -> Iterator[socket.socket]:
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as line:
        yield line


def _read_to_the_end(line: socket.socket) -> bytes:
    """All that comes until the server closes the line."""
    parts = []
    try:
        while part := line.recv(65536):
            parts.append(part)
    except ConnectionError:
        pass
    return b"".join(parts)


def _read_answer(line: socket.socket) -> bytes:
    """A whole answer to a question, which may come in pieces."""
    came = b""
    while not came.endswith(b"}]}"):
        part = line.recv(65536)
        assert part, "the server closed the line"
        came += part
    return came


def _send_until_closed(line: socket.socket, parts: Iterator[bytes], pause: float) -> int:
    """Send until the server closes the line; gives how many bytes went."""
    sent, deadline = 0, time.monotonic() + 20
    try:
        for part in parts:
            line.sendall(part)
            sent += len(part)
            assert time.monotonic() < deadline, "the server waits for ever"
            time.sleep(pause)
    except ConnectionError:
        pass
    return sent


def _is_served(url: str) -> bool:
    return urllib3.request("POST", url + INFER, body=BODY, retries=False).status == 200


def test_a_client_that_says_nothing_is_sent_away_and_holds_nobody_up() -> None:
    with served(Sectors(SHAPE)) as url, _line(url) as silent:
        began = time.monotonic()
        assert _is_served(url)
        assert _read_to_the_end(silent) == b""
        assert time.monotonic() - began >= PATIENCE / 2


@pytest.mark.parametrize("before", [b"", ASKED])
def test_a_client_that_dribbles_a_header_is_sent_away(before: bytes) -> None:
    with served(Sectors(SHAPE)) as url, _line(url) as slow:
        if before:
            slow.sendall(before)
            assert b"200 OK" in _read_answer(slow)
        began = time.monotonic()
        sent = _send_until_closed(slow, (bytes([byte]) for byte in b"GET /v2 HTTP/1.1\r\nX: " + b"y" * 10_000), 0.03)
        assert sent < 500
        assert time.monotonic() - began >= PATIENCE / 2


def test_a_header_without_end_is_cut_off_before_it_fills_the_memory() -> None:
    with served(Sectors(SHAPE)) as url, _line(url) as line:
        line.sendall(b"GET /v2 HTTP/1.1\r\nX: ")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        # What the buffers of the system take in does not count as read.
        assert _send_until_closed(line, repeat(b"y" * 2**16, 4000), 0.0) < 100 * 2**20
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 30_000, "kilobytes"
        assert _is_served(url)


def test_who_does_not_take_the_answers_is_sent_away() -> None:
    rows = 100_000
    tensor = {"name": "images", "datatype": "UINT8", "shape": [rows, *SHAPE]}
    head = orjson.dumps({"inputs": [{**tensor, "parameters": {"binary_data_size": 16 * rows}}]})
    lengths = f"Content-Length: {len(head) + 16 * rows}\r\nInference-Header-Content-Length: {len(head)}"
    asked = f"POST {INFER} HTTP/1.1\r\nHost: x\r\n{lengths}\r\n\r\n".encode() + head + bytes(16 * rows)
    # Each answer is 200 kB long, and the buffers of the system take in a few megabytes.
    with served(Sectors(SHAPE, levels=256), limits=Limits(rows=rows)) as url, _line(url) as line:
        assert _send_until_closed(line, repeat(asked, 100), 0.0) < 100 * len(asked)
        assert _is_served(url)


def test_who_sends_requests_without_end_and_waits_for_no_answer_is_sent_away() -> None:
    with served(Slow(Sectors(SHAPE), 0.05)) as url, _line(url) as line:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert _send_until_closed(line, repeat(ASKED * 200, 500), 0.0) < 500 * 200 * len(ASKED)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000, "kilobytes"
        assert _is_served(url)


def test_a_slow_teacher_and_a_client_that_pauses_between_requests_are_waited_for() -> None:
    with served(Slow(Sectors(SHAPE), 2 * PATIENCE)) as url, _line(url) as line:
        for _ in range(2):
            for start in range(0, len(ASKED), 60):
                line.sendall(ASKED[start : start + 60])
                time.sleep(0.02)
            assert b"200 OK" in _read_answer(line)
            time.sleep(2 * PATIENCE)


def test_more_silent_clients_than_there_is_room_for_go_and_others_come() -> None:
    with served(Sectors(SHAPE)) as url, ExitStack() as lines:
        for _ in range(300):
            lines.enter_context(_line(url))
        deadline = time.monotonic() + 20
        while not _is_served(url):
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_who_finds_the_house_full_is_told_when_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 1)
    with served(Sectors(SHAPE)) as url, _line(url) as only:
        only.sendall(ASKED)
        assert b"200 OK" in _read_answer(only)
        # So large that an answer before its end would be lost.
        answer = urllib3.request("POST", url + INFER, body=b"x" * 10_000_000, retries=False)
        assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
        assert "nothing was charged" in answer.json()["error"]
        only.close()
        deadline = time.monotonic() + 20
        while not _is_served(url):
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_a_stranger_with_a_large_request_reads_why_it_was_refused() -> None:
    with served(Sectors(SHAPE), {"team": Grant("0" * 64)}) as url:
        for _ in range(5):
            answer = urllib3.request("POST", url + INFER, body=b"x" * 400_000, retries=False)
            assert answer.status == 401


def test_whatever_comes_over_the_line_ends_in_no_failure_of_the_servers() -> None:
    heads = (b"GET /v2 HTTP/1.1\r\n", b"POST " + INFER.encode() + b" HTTP/1.1\r\n", b"Transfer-Encoding: chunked\r\n")
    ends = (
        b"\r\n",
        b"\r\n\r\n",
        b"Content-Length: 99999999999999999999\r\n",
        b"ffffffffff\r\n",
        b"Expect: 100-continue\r\n",
    )

    with served(Sectors(SHAPE)) as url:

        @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
        @given(parts=st.lists(st.sampled_from((ASKED, ASKED[:90], *heads, *ends)) | st.binary(max_size=50), max_size=8))
        def send(parts: list[bytes]) -> None:
            with _line(url) as line:
                _send_until_closed(line, iter(parts), 0.0)
                with suppress(OSError):
                    line.shutdown(socket.SHUT_WR)
                assert b" 500 " not in _read_to_the_end(line)

        send()
        assert _is_served(url)


@pytest.mark.slow
def test_memory_stays_flat_under_clients_of_every_bad_kind() -> None:
    class Plain(Sectors):
        def __call__(self, images: Float[Tensor, "b c h w"]) -> Int[Tensor, " b"]:
            return torch.zeros(len(images), dtype=torch.int64)

    def leave(line: socket.socket) -> None:
        line.sendall(ASKED[:-5])

    def babble(line: socket.socket) -> None:
        line.sendall(b"\x00\xff" * 500)

    def claim(line: socket.socket) -> None:
        line.sendall(f"POST {INFER} HTTP/1.1\r\nContent-Length: {10**12}\r\n\r\n".encode() + b"x" * 70_000)

    def swell(line: socket.socket) -> None:
        _send_until_closed(line, repeat(b"GET /v2 HTTP/1.1\r\nX: " + b"y" * 2**14, 20), 0.0)

    kinds: tuple[Callable[[socket.socket], None], ...] = (leave, babble, claim, swell)

    def meet(url: str, times: int) -> int:
        for number in range(times):
            with _line(url) as line:
                kinds[number % len(kinds)](line)
            if number % 10 == 0:
                assert _is_served(url)
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    with served(Plain(SHAPE)) as url:
        before = meet(url, 400)
        assert meet(url, 2000) - before < 20_000, "kilobytes"
