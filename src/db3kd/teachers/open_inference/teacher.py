"""A model on a server as a teacher: the class is taken out of its answer, and what else came is dropped.

The oracle retries, waits and keeps several calls in flight. Needs the extra `http`.
"""

import itertools
import logging
import uuid
from dataclasses import field, replace
from typing import Annotated
from urllib.parse import quote, unquote

import torch
from annotated_types import Ge, Gt

from db3kd.arguments import check_arguments, checked_options
from db3kd.errors import PlanError
from db3kd.teachers.class_names import ClassNames
from db3kd.teachers.connection import Connection, read_token, split_url
from db3kd.teachers.layout import ModelDescription
from db3kd.teachers.open_inference.messages import read_answer, write_question
from db3kd.teachers.open_inference.metadata import read_model
from db3kd.teachers.protocol import Service, TeacherSpec
from db3kd.tensors import Float, Int, Tensor

_log = logging.getLogger(__name__)

_MODELS = "/v2/models/"


@checked_options
class ServerOptions:
    """How a server is asked.

    Args:
        timeout: seconds to wait for an answer.
        token_env: name of the environment variable that holds a bearer token, or None.
        max_batch: rows a request.
        service: how it wants to be asked.
    """

    timeout: Annotated[float, Gt(0)] = 30.0
    token_env: str | None = None
    max_batch: Annotated[int, Ge(1)] = 256
    service: Service = field(default=Service(in_flight=2, patience=60.0))


class OpenInferenceTeacher:
    """A model on a server, of which only the decisions are taken.

    Args:
        url: http(s)://HOST[:PORT]/v2/models/NAME, with /versions/VERSION for one of several.
        description: what the server does not say.
        options: how to ask it.
    """

    def __init__(
        self, url: str, *, description: ModelDescription | None = None, options: ServerOptions | None = None
    ) -> None:
        check_arguments(OpenInferenceTeacher.__init__, locals())
        stated, options = description or ModelDescription(), options or ServerOptions()
        server, self._path = _take_apart(url)
        self._connection = Connection(
            server, token=read_token(options.token_env), timeout=options.timeout, size=options.service.in_flight
        )
        self._model = read_model(self._connection.get("/v2"), self._connection.get(self._path), stated, origin=url)
        taken, max_batch = self._model.taken, min(options.max_batch, self._model.max_rows or options.max_batch)
        fingerprint = f"open-inference:{server}{self._path}:{self._model.digest}"
        stated = stated if stated.class_names else replace(stated, class_names=self._model.class_names)
        spec = stated.complete(taken, self._model.num_classes, max_batch=max_batch, fingerprint=fingerprint, origin=url)
        # What `db3kd serve` says, and what names that are off the list need.
        abstains = self._model.abstains or (bool(stated.class_names) and self._model.gives_text)
        self._names = ClassNames(stated.class_names) if self._model.gives_text and stated.class_names else None
        self.spec: TeacherSpec = replace(spec, service=options.service, abstains=abstains)
        # A request that comes back with another's answer must not go unseen, whatever process asked it.
        self._prefix, self._numbers = uuid.uuid4().hex[:12], itertools.count()
        self.assumptions: tuple[str, ...] = (*taken.describe(self.spec.bounds), *self._model.describe())
        for assumption in self.assumptions:
            _log.info("%s: %s", url, assumption)

    def __call__(self, images: Float[Tensor, "b c h w"]) -> Int[Tensor, " b"]:
        """Decide; see `Teacher`. One request; threads may ask at once."""
        model, identity = self._model, f"{self._prefix}-{next(self._numbers)}"
        pixels = model.taken.arrange(images)
        question = write_question(pixels, model.taken.name, model.wanted, identity=identity, binary=model.binary)
        answer = self._connection.post(f"{self._path}/infer", question.body, question.headers)
        classes = read_answer(answer, len(pixels), model.wanted, identity=identity, names=self._names)
        return torch.from_numpy(classes[: len(images)].copy())


def _take_apart(url: str) -> tuple[str, str]:
    """Split a model's URL into the server's and the path of the model."""
    parts = split_url(url)
    before, found, name = parts.path.rstrip("/").partition(_MODELS)
    if not found or not name or parts.query or parts.fragment:
        raise PlanError(
            f"a model on a server is named http(s)://HOST[:PORT]/v2/models/NAME, got a URL with the path "
            f"{parts.path!r}; nothing was asked: correct it"
        )
    return f"{parts.scheme}://{parts.netloc}{before}", _MODELS + quote(unquote(name), safe="/")
