"""A model on a server as a teacher: the class is taken out of its answer, and what else came is dropped.

Called by `db3kd.oracle` alone, which retries, waits and keeps several calls in flight. Needs the extra `http`.
"""

import itertools
import logging
import uuid
from dataclasses import dataclass, field
from urllib.parse import quote, unquote, urlsplit

import torch

from db3kd.errors import PlanError
from db3kd.teachers.layout import BYTE_BOUNDS, BYTE_LEVELS, Stated
from db3kd.teachers.open_inference.connection import Connection, read_token
from db3kd.teachers.open_inference.messages import read_answer, write_question
from db3kd.teachers.open_inference.metadata import read_model
from db3kd.teachers.protocol import Service, TeacherSpec
from db3kd.tensors import Float, Int, Tensor

_log = logging.getLogger(__name__)

_MODELS = "/v2/models/"


@dataclass(frozen=True)
class Line:
    """How a server is talked to.

    Args:
        timeout: seconds to wait for an answer.
        token_env: name of the environment variable that holds a bearer token, or None.
        max_batch: rows a request.
        service: how it wants to be asked.
    """

    timeout: float = 30.0
    token_env: str | None = None
    max_batch: int = 256
    service: Service = field(default=Service(in_flight=2, patience=60.0))


class OpenInferenceTeacher:
    """Hides a model on a server behind its decisions.

    Args:
        url: http(s)://HOST[:PORT]/v2/models/NAME, with /versions/VERSION for one of several.
        stated: what the server does not say.
        line: how to talk to it.

    Raises:
        PlanError: the URL is of another form, or something is left open.
        TeacherError: the server does not answer, or knows no such model.
    """

    def __init__(self, url: str, *, stated: Stated | None = None, line: Line | None = None) -> None:
        stated, line = stated or Stated(), line or Line()
        server, path = _take_apart(url)
        token = read_token(line.token_env)
        self._path = path
        self._connection = Connection(server, token=token, timeout=line.timeout, size=line.service.in_flight)
        self._model = read_model(
            self._connection.get("/v2"),
            self._connection.get(path),
            input_shape=stated.input_shape,
            layout=stated.layout,
            output=stated.output,
            origin=url,
        )
        taken, classes = self._model.taken, stated.num_classes or self._model.num_classes
        if classes is None:
            raise PlanError(f"{url} does not say how many classes it tells apart; give teacher.num_classes")
        self.spec = TeacherSpec(
            taken.image_shape,
            classes,
            BYTE_BOUNDS if taken.takes_bytes else stated.bounds,
            taken.batch or min(line.max_batch, self._model.max_rows or line.max_batch),
            stated.fingerprint or f"open-inference:{server}{path}:{self._model.digest}",
            BYTE_LEVELS if taken.takes_bytes else stated.levels,
            line.service,
        )
        # A request that comes back with another's answer must not go unseen, whatever process asked it.
        self._prefix, self._numbers = uuid.uuid4().hex[:12], itertools.count()
        self.assumptions: tuple[str, ...] = (*taken.describe(self.spec.bounds), *self._model.describe())
        for assumption in self.assumptions:
            _log.info("%s: %s", url, assumption)

    def __call__(self, images: Float[Tensor, "b c h w"]) -> Int[Tensor, " b"]:
        """Decide; see `Teacher`. One request; threads may ask at once."""
        identity = f"{self._prefix}-{next(self._numbers)}"
        pixels = self._model.taken.arrange(images)
        question = write_question(
            pixels, self._model.taken.name, self._model.wanted, identity=identity, binary=self._model.binary
        )
        answer = self._connection.post(f"{self._path}/infer", question.body, question.headers)
        classes = read_answer(answer, len(pixels), self._model.wanted, identity=identity)
        return torch.from_numpy(classes[: len(images)].copy())


def _take_apart(url: str) -> tuple[str, str]:
    """Split a model's URL into the server's and the path of the model."""
    parts = urlsplit(url)
    before, found, name = parts.path.rstrip("/").partition(_MODELS)
    if not found or not name or parts.query or parts.fragment:
        raise PlanError(
            f"a model on a server is named http(s)://HOST[:PORT]/v2/models/NAME, got a URL with the path "
            f"{parts.path!r}; nothing was asked: mend it"
        )
    return f"{parts.scheme}://{parts.netloc}{before}", _MODELS + quote(unquote(name), safe="/")
