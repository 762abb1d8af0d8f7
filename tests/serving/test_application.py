"""A served teacher: the same decisions, no scores, no crash, and never more rows than a budget allows."""

import resource
import socket
import threading
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pytest
import torch
import urllib3

from db3kd.ledger import Ledger
from db3kd.oracle import Oracle
from db3kd.serving import Clients, RequestLimits, make_application
from db3kd.teachers import FunctionTeacher, Preparation, PreparedTeacher, Service, Teacher
from db3kd.teachers.open_inference import OpenInferenceTeacher, ServerOptions
from known_teachers import Flaky, Sectors
from served_teacher import IMAGES, INFER, SHAPE, LocalServer, call, question, served


@pytest.mark.parametrize("levels", [None, 256])
@pytest.mark.parametrize("in_flight", [1, 4])
def test_the_same_teacher_gives_the_same_decisions_over_the_wire(levels: int | None, in_flight: int) -> None:
    known = Sectors(SHAPE, levels=levels)
    images = known.spec.admit(IMAGES)
    with served(known) as url, Ledger(None) as ledger, ledger.account("label") as account:
        options = ServerOptions(max_batch=7, service=Service(in_flight=in_flight))
        teacher: Teacher = OpenInferenceTeacher(f"{url}/v2/models/teacher", options=options)
        if levels:
            teacher = PreparedTeacher(teacher, Preparation(scale=255.0), image_shape=SHAPE)
        assert (teacher.spec.input_shape, teacher.spec.num_classes, teacher.spec.levels) == (SHAPE, 5, levels)
        assert torch.equal(Oracle(teacher, account)(images), known(images))
        assert account.spent == 40


def test_names_and_answers_that_are_no_class_go_over_the_wire() -> None:
    known, names = Sectors(SHAPE), ("ant", "bee", "cat", "dog", "eel")

    def decide(images: npt.NDArray[np.float32]) -> list[str]:
        told = [names[number] for number in known(torch.from_numpy(images)).tolist()]
        return ["none of them" if image[0, 0, 0] > 0.7 else name for image, name in zip(images, told, strict=True)]

    teacher = FunctionTeacher(decide, input_shape=SHAPE, class_names=names)
    with served(teacher) as url, Ledger(None) as ledger, ledger.account("label") as account:
        asked = OpenInferenceTeacher(f"{url}/v2/models/teacher")
        assert (asked.spec.class_names, asked.spec.num_classes, asked.spec.abstains) == (names, 5, True)
        decisions = Oracle(asked, account)(IMAGES)
    assert torch.equal(decisions, teacher(IMAGES))
    assert 0 < int((decisions == 5).sum()) < len(IMAGES)


def test_an_answer_holds_the_class_and_nothing_else() -> None:
    client = LocalServer()
    answer = client.ask(question())
    assert answer.status == 200
    (output,) = answer.json()["outputs"]
    assert output == {"name": "class", "datatype": "INT64", "shape": [2], "data": Sectors(SHAPE)(IMAGES[:2]).tolist()}
    assert set(answer.json()) == {"id", "model_name", "model_version", "outputs"}
    assert set(answer.headers) <= {"content-length", "content-type"}
    asked = {**question(), "outputs": [{"name": "class", "parameters": {"binary_data": True}}]}
    raw = client.ask(asked)
    head = int(raw.headers["inference-header-content-length"])
    assert np.frombuffer(raw.content[head:], "<i8").tolist() == output["data"]
    for wanted in ("logits", "scores"):
        assert client.ask({**question(), "outputs": [{"name": wanted}]}).status == 400
    best = [{"name": "class", "parameters": {"classification": 3}}]
    assert client.ask({**question(), "outputs": best}).status == 400


def test_metadata_and_health_and_metrics() -> None:
    client = LocalServer()
    assert client.get("/v2/health/live").status == 200
    assert client.get("/v2/models/teacher/ready").status == 200
    assert client.get("/v2").json()["extensions"] == ["binary_tensor_data"]
    model = client.get("/v2/models/teacher").json()
    assert model["inputs"] == [{"name": "images", "datatype": "FP32", "shape": [-1, *SHAPE]}]
    assert client.get(f"/v2/models/teacher/versions/{model['versions'][0]}").json() == model
    client.ask(question(3))
    client.ask({})
    text = client.get("/metrics").text
    assert "db3kd_rows_total 3.0" in text
    assert 'db3kd_requests_total{status="200"} 1.0' in text
    assert 'db3kd_requests_total{status="400"} 1.0' in text
    assert client.get("/v2/models/other").status == 404
    assert client.get(INFER).status == 405


def test_metrics_tell_what_a_client_was_charged_again() -> None:
    flaky = Flaky(Sectors(SHAPE), maybe_served=frozenset({1}))
    with Ledger(None) as ledger:
        clients = Clients(ledger, {}, burst=8)
        application = make_application(flaky, clients)
        assert call(application, "POST", INFER, orjson.dumps(question(3))).status == 200
        clients.close()
        assert ledger.statement().total == 6
    assert "db3kd_charged_again_rows_total 3.0" in call(application, "GET", "/metrics").text


def test_who_comes_when_all_places_are_taken_is_asked_to_come_back() -> None:
    client = LocalServer(at_once=0)
    answer = client.ask(question())
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert client.seen.rows == client.ledger.statement().total == 0


class TestBodies:
    def test_a_request_that_is_too_large_is_refused_before_it_is_read(self) -> None:
        client = LocalServer(body_bytes=1000)
        assert client.ask(b"x" * 1001).status == 413
        assert client.seen.rows == 0

    def test_a_slow_client_is_sent_away_and_holds_nobody_up(self) -> None:
        with served(Sectors(SHAPE), limits=RequestLimits(rows=8, body_seconds=2.0)) as url:
            address = url.removeprefix("http://").split(":")
            with socket.create_connection((address[0], int(address[1])), timeout=20) as slow:
                slow.sendall(f"POST {INFER} HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{{".encode())
                answer = urllib3.request("POST", url + INFER, body=orjson.dumps(question()), retries=False)
                assert answer.status == 200
                assert b"408" in slow.recv(100)

    def test_a_client_that_leaves_in_the_middle_harms_nobody(self) -> None:
        with served(Sectors(SHAPE)) as url:
            address = url.removeprefix("http://").split(":")
            for _ in range(20):
                with socket.create_connection((address[0], int(address[1])), timeout=20) as leaving:
                    leaving.sendall(f"POST {INFER} HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{{".encode())
            answer = urllib3.request("POST", url + INFER, body=orjson.dumps(question()), retries=False)
            assert answer.status == 200
            assert threading.active_count() < 60


@pytest.mark.slow
def test_memory_stays_flat_under_requests_good_and_bad() -> None:
    client = LocalServer()
    bad = [question(shape=[10**9, *SHAPE]), question(data=["x"] * 32), b"{" * 5000]

    def ask_all(times: int) -> int:
        for number in range(times):
            client.ask(question(8))
            client.ask(bad[number % 3])
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    before = ask_all(300)
    assert ask_all(1500) - before < 20_000, "kilobytes"


def test_a_failure_of_the_teacher_says_nothing_about_it() -> None:
    class Broken(Sectors):
        def __call__(self, images: Any) -> Any:
            raise ValueError("the secret path /etc/model")

    clients = Clients(Ledger(None), {}, burst=8)
    answer = call(make_application(Broken(SHAPE), clients), "POST", INFER, orjson.dumps(question()))
    assert answer.status == 502
    assert "secret" not in answer.text
