"""A token is for the server alone, and only the server that was named is asked."""

import logging

import pytest
import torch

from db3kd.errors import PlanError, TeacherError
from db3kd.teachers import ModelDescription
from db3kd.teachers.open_inference import OpenInferenceTeacher, ServerOptions
from known_teachers import Sectors
from model_server import Server, serving

SHAPE = (1, 4, 4)
IMAGES = torch.rand(4, *SHAPE, generator=torch.Generator().manual_seed(0))


def _open(server: Server, options: ServerOptions) -> OpenInferenceTeacher:
    return OpenInferenceTeacher(server.url, description=ModelDescription(num_classes=5), options=options)


def test_the_token_is_sent_and_shown_nowhere(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("TEACHER_TOKEN", "s3cret-t0ken")
    server = Server(Sectors(SHAPE))
    options = ServerOptions(token_env="TEACHER_TOKEN", max_batch=10)
    with serving(server), caplog.at_level(logging.DEBUG):
        teacher = _open(server, options)
        teacher(IMAGES)
        with pytest.raises(TeacherError, match="unknown model") as caught:
            OpenInferenceTeacher(server.url + "2", options=options)
    assert all(sent["Authorization"] == "Bearer s3cret-t0ken" for sent in server.headers)
    shown = f"{caplog.text} {caught.value} {teacher.spec!r} {teacher.assumptions} {teacher!r}"
    assert "s3cret" not in shown
    assert "s3cret" not in repr(vars(teacher._connection))


def test_a_token_that_is_not_there_is_told_before_anything_is_asked() -> None:
    with pytest.raises(PlanError, match="NO_SUCH_TOKEN"):
        OpenInferenceTeacher("http://127.0.0.1:9/v2/models/m", options=ServerOptions(token_env="NO_SUCH_TOKEN"))


def test_a_redirection_to_another_host_is_refused_and_gets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEACHER_TOKEN", "s3cret-t0ken")
    with serving(Server(Sectors(SHAPE))) as other:
        here = Server(Sectors(SHAPE), redirect=other.url.partition("/v2")[0])
        with serving(here), pytest.raises(TeacherError, match="another host"):
            _open(here, ServerOptions(token_env="TEACHER_TOKEN"))
        assert not other.headers


def test_a_password_in_the_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(PlanError, match="token_env") as caught:
        OpenInferenceTeacher("http://me:hunter2@127.0.0.1:9/v2/models/m")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/models/m", "http://127.0.0.1:9/v2/models/", "http:///v2/models/m"])
def test_a_url_that_names_no_model_is_refused(url: str) -> None:
    with pytest.raises(PlanError):
        OpenInferenceTeacher(url)
