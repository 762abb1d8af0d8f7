"""A served teacher: the same decisions, no scores, no crash, and never more rows than a budget allows."""

import hashlib
import resource
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import orjson
import pytest
import torch
import urllib3
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db3kd.ledger import Ledger
from db3kd.oracle import Oracle
from db3kd.plan import parse_sections
from db3kd.plan.teachers import open_teacher
from db3kd.serving import Clients, Grant, Limits, make_application
from db3kd.serving.clients import Client
from db3kd.teachers import Teacher
from known_teachers import Counting, Sectors
from served_teacher import Answer, call, served

SHAPE = (1, 4, 4)
IMAGES = torch.rand(40, *SHAPE, generator=torch.Generator().manual_seed(0))
INFER = "/v2/models/teacher/infer"


def _grant(token: str, budget: int | None = None, rate: float | None = None) -> Grant:
    return Grant(hashlib.sha256(token.encode()).hexdigest(), budget, rate)


def _opened(url: str, **keys: object) -> Teacher:
    section = parse_sections({"teacher": {"uri": f"{url}/v2/models/teacher", **keys}}, "the test").teacher
    assert section is not None
    return open_teacher(section).teacher


def _question(rows: int = 2, /, **changes: Any) -> dict[str, Any]:
    data = IMAGES[:rows].flatten().tolist()
    tensor = {"name": "images", "datatype": "FP32", "shape": [rows, *SHAPE], "data": data, **changes}
    return {"id": "7", "inputs": [tensor]}


class _Client:
    """The application in this process, without a socket, with what its teacher saw."""

    def __init__(self, grants: dict[str, Grant] | None = None, **limits: Any) -> None:
        self.seen = Counting(Sectors(SHAPE))
        self.ledger = Ledger(None)
        asked = Limits(rows=8, **limits)
        clients = Clients(self.ledger, grants or {}, burst=asked.rows)
        self.application = make_application(self.seen, clients, limits=asked)

    def get(self, path: str) -> Answer:
        return call(self.application, "GET", path)

    def ask(self, question: object, token: str = "", **headers: str) -> Answer:
        sent = {"Authorization": f"Bearer {token}", **headers} if token else headers
        content = question if isinstance(question, bytes) else orjson.dumps(question)
        return call(self.application, "POST", INFER, content, sent)


@pytest.mark.parametrize("levels", [None, 256])
@pytest.mark.parametrize("in_flight", [1, 4])
def test_the_same_teacher_gives_the_same_decisions_over_the_wire(levels: int | None, in_flight: int) -> None:
    known = Sectors(SHAPE, levels=levels)
    images = known.spec.admit(IMAGES)
    with served(known) as url, Ledger(None) as ledger, ledger.account("label") as account:
        teacher = _opened(url, in_flight=in_flight, max_batch=7)
        assert (teacher.spec.input_shape, teacher.spec.num_classes, teacher.spec.levels) == (SHAPE, 5, levels)
        assert torch.equal(Oracle(teacher, account)(images), known(images))
        assert account.spent == 40


def test_an_answer_holds_the_class_and_nothing_else() -> None:
    client = _Client()
    answer = client.ask(_question())
    assert answer.status == 200
    (output,) = answer.json()["outputs"]
    assert output == {"name": "class", "datatype": "INT64", "shape": [2], "data": Sectors(SHAPE)(IMAGES[:2]).tolist()}
    assert set(answer.json()) == {"id", "model_name", "model_version", "outputs"}
    assert set(answer.headers) <= {"content-length", "content-type"}
    asked = {**_question(), "outputs": [{"name": "class", "parameters": {"binary_data": True}}]}
    raw = client.ask(asked)
    head = int(raw.headers["inference-header-content-length"])
    assert np.frombuffer(raw.content[head:], "<i8").tolist() == output["data"]
    for wanted in ("logits", "scores"):
        assert client.ask({**_question(), "outputs": [{"name": wanted}]}).status == 400
    best = [{"name": "class", "parameters": {"classification": 3}}]
    assert client.ask({**_question(), "outputs": best}).status == 400


def test_metadata_and_health_and_metrics() -> None:
    client = _Client()
    assert client.get("/v2/health/live").status == 200
    assert client.get("/v2/models/teacher/ready").status == 200
    assert client.get("/v2").json()["extensions"] == ["binary_tensor_data"]
    model = client.get("/v2/models/teacher").json()
    assert model["inputs"] == [{"name": "images", "datatype": "FP32", "shape": [-1, *SHAPE]}]
    assert client.get(f"/v2/models/teacher/versions/{model['versions'][0]}").json() == model
    client.ask(_question(3))
    client.ask({})
    text = client.get("/metrics").text
    assert "db3kd_rows_total 3.0" in text
    assert 'db3kd_requests_total{status="200"} 1.0' in text
    assert 'db3kd_requests_total{status="400"} 1.0' in text
    assert client.get("/v2/models/other").status == 404
    assert client.get(INFER).status == 405


@pytest.mark.parametrize(
    "changes",
    [
        {"shape": [10**9, *SHAPE]},
        {"shape": [2, 10**9, 10**9, 10**9]},
        {"shape": [0, *SHAPE]},
        {"shape": [-2, *SHAPE]},
        {"shape": [9, *SHAPE], "data": [0.5] * 144},
        {"shape": [2, 4, 4]},
        {"shape": "2144"},
        {"shape": [2, 1, 4, True]},
        {"shape": [2, 1, 4, 4.0]},
        {"shape": None},
        {"data": [0.5] * 31},
        {"data": [0.5] * 33},
        {"data": ["0.5"] * 32},
        {"data": [True] * 32},
        {"data": [None] * 32},
        {"data": [[0.5] * 16, [0.5] * 15]},
        {"data": [1e39] * 32},
        {"data": [-0.01] * 32},
        {"data": [2**64 - 1] * 32},
        {"data": {}},
        {"data": []},
        {"datatype": "BYTES"},
        {"datatype": ["FP32"]},
        {"datatype": "UINT8", "data": [256] * 32},
        {"datatype": "UINT8", "data": [0.5] * 32},
        {"name": "pixels"},
        {"parameters": {"binary_data_size": 128}},
    ],
)
def test_what_is_no_question_is_refused_and_costs_nothing(changes: dict[str, Any]) -> None:
    client = _Client()
    answer = client.ask(_question(**changes))
    assert answer.status == 400
    assert "nothing was charged" in answer.json()["error"] or "nothing was sent or charged" in answer.json()["error"]
    assert client.seen.rows == client.ledger.statement().total == 0


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"inputs": [NaN]}', b"\xff\xfe", b'{"inputs":' * 700])
def test_what_is_no_json_is_refused(body: bytes) -> None:
    assert _Client().ask(body).status == 400


def test_nested_data_and_bytes_are_taken_and_nan_is_not() -> None:
    client, expected = _Client(), Sectors(SHAPE)(IMAGES[:2]).tolist()
    assert client.ask(_question(data=IMAGES[:2].tolist())).json()["outputs"][0]["data"] == expected
    for pixels, status in ((IMAGES[:2], 200), (torch.full_like(IMAGES[:2], torch.nan), 400)):
        raw = pixels.numpy().tobytes()
        question = _question(parameters={"binary_data_size": len(raw)})
        del question["inputs"][0]["data"]
        head = orjson.dumps(question)
        for length, told in ((str(len(head)), status), ("9" * 9, 400), ("x", 400), ("-1", 400), ("1", 400)):
            answer = client.ask(head + raw, **{"Inference-Header-Content-Length": length})
            assert answer.status == told
        assert client.ask(head + raw[:-1], **{"Inference-Header-Content-Length": str(len(head))}).status == 400


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    question=st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["id", "inputs", "outputs", "name", "shape", "datatype", "data", "parameters"]), inner
            )
        ),
        max_leaves=20,
    ),
    head=st.none() | st.text("0123456789-x", max_size=4),
)
def test_nothing_that_is_sent_ends_in_a_crash(question: object, head: str | None) -> None:
    headers = {} if head is None else {"Inference-Header-Content-Length": head}
    assert CRASH.ask(question, **headers).status in (200, 400)


CRASH = _Client()


class TestClients:
    def test_a_stranger_is_refused_and_a_token_leads_to_its_own_account(self) -> None:
        client = _Client({"ann": _grant("a-token", budget=5), "bob": _grant("b-token")})
        for token in ("", "wrong", "a-token2", "é"):
            assert client.ask(_question(), token).status == 401
        assert client.ask(_question(3), "a-token").status == 200
        refused = client.ask(_question(3), "a-token")
        assert (refused.status, "nothing was charged" in refused.text) == (403, True)
        assert client.ask(_question(2), "a-token").status == 200
        assert client.ask(_question(3), "b-token").status == 200
        assert client.seen.rows == 8

    def test_who_goes_too_fast_is_told_when_to_come_again(self) -> None:
        client = _Client({"ann": _grant("a-token", rate=2.0)})
        assert client.ask(_question(8), "a-token").status == 200
        refused = client.ask(_question(4), "a-token")
        assert refused.status == 429
        assert 0 < float(refused.headers["retry-after"]) <= 2.0
        assert client.seen.rows == 8

    def test_a_rate_is_an_average_over_a_burst(self) -> None:
        now = [0.0]
        with Ledger(None) as ledger, ledger.account("ann") as account:
            one = Client(account, 10.0, 20, lambda: now[0])
            assert one.admit(20) == 0
            assert one.admit(5) == pytest.approx(0.5)
            now[0] = 0.5
            assert one.admit(5) == 0
            now[0] = 100.0
            assert [one.admit(15), one.admit(15)] == [0, pytest.approx(1.0)]

    def test_a_budget_of_n_under_16_clients_at_once_serves_exactly_n_rows(self) -> None:
        seen = Counting(Sectors(SHAPE))
        with served(seen, {"team": _grant("t", budget=300)}) as url:
            pool = urllib3.PoolManager(maxsize=16, retries=False)
            body = orjson.dumps(_question(3))

            def ask(_: int) -> int:
                headers = {"Authorization": "Bearer t", "Content-Type": "application/json"}
                return pool.request("POST", url + INFER, body=body, headers=headers).status

            with ThreadPoolExecutor(16) as clients:
                statuses = list(clients.map(ask, range(160)))
            pool.clear()
        assert seen.rows == 300
        assert (statuses.count(200), statuses.count(403)) == (100, 60)


class TestBodies:
    def test_a_request_that_is_too_large_is_refused_before_it_is_read(self) -> None:
        client = _Client(body_bytes=1000)
        assert client.ask(b"x" * 1001).status == 413
        assert client.seen.rows == 0

    def test_a_slow_client_is_sent_away_and_holds_nobody_up(self) -> None:
        with served(Sectors(SHAPE), limits=Limits(rows=8, body_seconds=0.4)) as url:
            address = url.removeprefix("http://").split(":")
            with socket.create_connection((address[0], int(address[1])), timeout=20) as slow:
                slow.sendall(f"POST {INFER} HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{{".encode())
                answer = urllib3.request("POST", url + INFER, body=orjson.dumps(_question()), retries=False)
                assert answer.status == 200
                assert b"408" in slow.recv(100)

    def test_a_client_that_leaves_in_the_middle_harms_nobody(self) -> None:
        with served(Sectors(SHAPE)) as url:
            address = url.removeprefix("http://").split(":")
            for _ in range(20):
                with socket.create_connection((address[0], int(address[1])), timeout=20) as leaving:
                    leaving.sendall(f"POST {INFER} HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{{".encode())
            answer = urllib3.request("POST", url + INFER, body=orjson.dumps(_question()), retries=False)
            assert answer.status == 200
            assert threading.active_count() < 60


@pytest.mark.slow
def test_memory_stays_flat_under_requests_good_and_bad() -> None:
    client = _Client()
    bad = [_question(shape=[10**9, *SHAPE]), _question(data=["x"] * 32), b"{" * 5000]

    def ask_all(times: int) -> int:
        for number in range(times):
            client.ask(_question(8))
            client.ask(bad[number % 3])
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    before = ask_all(300)
    assert ask_all(1500) - before < 20_000, "kilobytes"


def test_the_teachers_failure_is_told_as_one_and_tells_nothing_of_it() -> None:
    class Broken(Sectors):
        def __call__(self, images: Any) -> Any:
            raise ValueError("the secret path /etc/model")

    clients = Clients(Ledger(None), {}, burst=8)
    answer = call(make_application(Broken(SHAPE), clients), "POST", INFER, orjson.dumps(_question()))
    assert answer.status == 502
    assert "secret" not in answer.text
