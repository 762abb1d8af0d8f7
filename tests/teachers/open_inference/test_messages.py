"""An answer that is no class for each image never becomes one."""

import pytest
import torch

from db3kd.errors import InvalidDecision, TeacherError
from db3kd.ledger import Ledger
from db3kd.oracle import Oracle
from db3kd.teachers import ModelDescription, Service
from db3kd.teachers.open_inference import OpenInferenceTeacher, ServerOptions
from db3kd.tensors import Tensor
from known_teachers import Sectors
from model_server import Handler, Server, serving

SHAPE = (1, 4, 4)
IMAGES = torch.rand(20, *SHAPE, generator=torch.Generator().manual_seed(0))


def _open(server: Server) -> OpenInferenceTeacher:
    description = ModelDescription(num_classes=5)
    return OpenInferenceTeacher(
        server.url, description=description, options=ServerOptions(max_batch=10, service=Service())
    )


@pytest.mark.parametrize(
    ("output", "named"),
    [
        ({"datatype": "INT64", "shape": [9], "data": [0] * 9}, "10 answers"),
        ({"datatype": "INT64", "shape": [10], "data": [0] * 9}, "9 values"),
        ({"datatype": "INT64", "shape": [10], "data": [0.5] * 10}, "float"),
        ({"datatype": "INT64", "shape": [10], "data": [5] + [0] * 9}, "got 5"),
        ({"datatype": "INT64", "shape": [10], "data": [-1] + [0] * 9}, "got -1"),
        ({"datatype": "INT64", "shape": [10], "data": ["0"] * 10}, "type <U1"),
        ({"datatype": "INT64", "shape": [10], "data": [[0], [0, 1]]}, "different lengths"),
        ({"datatype": "FP32", "shape": [10, 5], "data": [None] * 50}, "object"),
        ({"datatype": "FP32", "shape": [10], "data": [0.0] * 10}, "FP32 of shape"),
        ({"datatype": "BYTES", "shape": [10], "data": ["cat"] * 10}, "'cat'"),
        ({"datatype": "BYTES", "shape": [10], "data": ["0.9:7"] * 10}, "got 7"),
        ({"datatype": "INT64", "shape": "10", "data": [0] * 10}, "shape"),
    ],
)
def test_an_answer_that_is_no_class_for_each_image_is_named_and_never_a_label(
    output: dict[str, object], named: str
) -> None:
    def script(handler: Handler, number: int) -> bool:
        asked = handler.known.requests[-1]
        handler.send(200, {"id": asked["id"], "outputs": [{"name": "answer", **output}]})
        return False

    server = Server(Sectors(SHAPE), script=script)
    with serving(server), Ledger(None) as ledger, ledger.account("label") as account:
        oracle = Oracle(_open(server), account, known=True)
        with pytest.raises(InvalidDecision, match=named):
            oracle(IMAGES)
        assert (account.spent, len(server.requests)) == (10, 1)


@pytest.mark.parametrize("described", [True, False])
def test_names_are_answers_where_they_are_listed(described: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    known, names = Sectors(SHAPE), ("ant", "bee", "cat", "dog", "eel")

    def say(self: Server, decisions: Tensor, asked_for: dict[str, object]) -> dict[str, object]:
        told = [names[number] if number else "no idea" for number in decisions.tolist()]
        return {"name": "answer", "datatype": "BYTES", "shape": [len(told)], "data": told}

    outputs = [{"name": "answer", "datatype": "BYTES", "shape": [-1]}]
    stated = Server.metadata
    monkeypatch.setattr(Server, "_say", say)
    monkeypatch.setattr(Server, "metadata", lambda self: {**stated(self), "outputs": outputs if described else []})
    server = Server(known)
    with serving(server), Ledger(None) as ledger, ledger.account("label") as account:
        options = ServerOptions(max_batch=10, service=Service())
        teacher = OpenInferenceTeacher(server.url, description=ModelDescription(class_names=names), options=options)
        decisions = Oracle(teacher, account)(IMAGES)
    assert (teacher.spec.num_classes, teacher.spec.class_names, teacher.spec.abstains) == (5, names, True)
    right = known(IMAGES)
    assert torch.equal(decisions, torch.where(right == 0, 5, right))


def test_the_answer_to_another_request_is_refused() -> None:
    def script(handler: Handler, number: int) -> bool:
        handler.send(200, {**handler.known.answer(handler.known.requests[-1], b""), "id": "another"})
        return False

    server = Server(Sectors(SHAPE), script=script)
    with serving(server), pytest.raises(TeacherError, match="'another'"):
        _open(server)(IMAGES[:10])
