"""The server under schemathesis: whatever fits its schema, or nearly does, ends in no failure of the server's."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from db3kd.ledger import Ledger
from db3kd.serving import Clients, RequestLimits, make_application
from known_teachers import Sectors

_SHAPE = (1, 2, 2)
_QUESTIONS = "/v2/models/teacher/infer"
_JSON = {"application/json": {"schema": {"type": "object"}}}
_TENSOR = {
    "type": "object",
    "required": ["name", "shape", "datatype", "data"],
    "properties": {
        "name": {"enum": ["images", "other"]},
        "shape": {"type": "array", "items": {"type": "integer"}, "maxItems": 5},
        "datatype": {"enum": ["FP32", "UINT8", "BYTES"]},
        "data": {"type": "array", "items": {"type": "number"}, "maxItems": 9},
    },
}
_QUESTION = {
    "type": "object",
    "required": ["inputs"],
    "properties": {
        "id": {"type": "string"},
        "inputs": {"type": "array", "items": _TENSOR, "maxItems": 2},
        "outputs": {"type": "array", "items": {"type": "object"}},
        "parameters": {"type": "object"},
    },
}


def _answers(*statuses: int) -> dict[str, Any]:
    return {str(status): {"description": "an answer", "content": _JSON} for status in statuses}


_PATHS: dict[str, dict[str, Any]] = {
    "/v2": {"get": {"responses": _answers(200)}},
    "/v2/health/ready": {"get": {"responses": _answers(200)}},
    "/v2/models/teacher": {"get": {"responses": _answers(200)}},
    _QUESTIONS: {
        "post": {
            "parameters": [{"in": "header", "name": "Inference-Header-Content-Length", "schema": {"type": "integer"}}],
            "requestBody": {"required": True, "content": {"application/json": {"schema": _QUESTION}}},
            "responses": _answers(200, 400, 413),
        }
    },
}
_SCHEMA = {
    "openapi": "3.0.2",
    "info": {"title": "Open Inference Protocol, as db3kd serves it", "version": "2"},
    "paths": _PATHS,
}
_APPLICATION = make_application(Sectors(_SHAPE), Clients(Ledger(None), {}, burst=4), limits=RequestLimits(rows=4))


@pytest.mark.slow
@pytest.mark.parametrize(("path", "kind"), [*((path, "POSITIVE") for path in _PATHS), (_QUESTIONS, "NEGATIVE")])
def test_no_request_ends_in_a_failure_of_the_server(path: str, kind: str) -> None:
    # Imported here: it takes seconds, which every start of pytest would pay.
    import schemathesis
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi.checks import content_type_conformance, status_code_conformance

    schema = schemathesis.openapi.from_dict(_SCHEMA)
    schema.app = _APPLICATION
    (method,) = _PATHS[path]
    operation = schema[path][method]

    @settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=schemathesis.GenerationMode[kind]))
    def no_request_fails(case: schemathesis.Case[Any]) -> None:
        case.call_and_validate(checks=[not_a_server_error, content_type_conformance, status_code_conformance])

    no_request_fails()
