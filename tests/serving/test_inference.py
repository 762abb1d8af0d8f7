"""What is no request for a decision is refused and costs nothing, whatever it is."""

from typing import Any

import orjson
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from known_teachers import Sectors
from served_teacher import IMAGES, SHAPE, LocalServer, question


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
def test_what_is_no_request_is_refused_and_costs_nothing(changes: dict[str, Any]) -> None:
    client = LocalServer()
    answer = client.ask(question(**changes))
    assert answer.status == 400
    assert "nothing was charged" in answer.json()["error"] or "nothing was sent or charged" in answer.json()["error"]
    assert client.seen.rows == client.ledger.statement().total == 0


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"inputs": [NaN]}', b"\xff\xfe", b'{"inputs":' * 700])
def test_what_is_no_json_is_refused(body: bytes) -> None:
    assert LocalServer().ask(body).status == 400


def test_nested_data_and_bytes_are_taken_and_nan_is_not() -> None:
    client, expected = LocalServer(), Sectors(SHAPE)(IMAGES[:2]).tolist()
    assert client.ask(question(data=IMAGES[:2].tolist())).json()["outputs"][0]["data"] == expected
    for pixels, status in ((IMAGES[:2], 200), (torch.full_like(IMAGES[:2], torch.nan), 400)):
        raw = pixels.numpy().tobytes()
        asked = question(parameters={"binary_data_size": len(raw)})
        del asked["inputs"][0]["data"]
        head = orjson.dumps(asked)
        for length, expected_status in ((str(len(head)), status), ("9" * 9, 400), ("x", 400), ("-1", 400), ("1", 400)):
            answer = client.ask(head + raw, **{"Inference-Header-Content-Length": length})
            assert answer.status == expected_status
        assert client.ask(head + raw[:-1], **{"Inference-Header-Content-Length": str(len(head))}).status == 400


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    asked=st.recursive(
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
def test_nothing_that_is_sent_ends_in_a_crash(asked: object, head: str | None) -> None:
    headers = {} if head is None else {"Inference-Header-Content-Length": head}
    assert CRASH.ask(asked, **headers).status in (200, 400)


CRASH = LocalServer()
