"""A vision model on a server as a teacher, by the chat-completions protocol: one image a request, one class an answer.

The oracle retries, waits and keeps several calls in flight, and books the tokens. Needs the extra `http`.

Source: https://platform.openai.com/docs/api-reference/chat/create, which vLLM, Ollama, llama.cpp and LiteLLM speak.
"""

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import asdict, field
from math import inf
from typing import Annotated, Any

import orjson
import torch
from annotated_types import Ge, Gt, Lt

from db3kd.arguments import check_arguments, checked_options
from db3kd.errors import InvalidDecision, PlanError, Rejected
from db3kd.ledger import Bill
from db3kd.teachers.chat.picture import Picture, check_shape
from db3kd.teachers.chat.prompt import Prompt
from db3kd.teachers.chat.reading import Names, Reply, read_answer, read_bill
from db3kd.teachers.connection import Connection, read_token, split_url
from db3kd.teachers.meter import Meter
from db3kd.teachers.protocol import Service, TeacherSpec
from db3kd.tensors import Float, Int, Tensor

_log = logging.getLogger(__name__)

_PATH = "/chat/completions"
# What a service calls it when it does not want to look at an image; asking again would end the same.
_REFUSALS = ("content_filter", "content_policy_violation")
# What a service answers where it does not know a field of the request.
_UNREADABLE = (400, 422)
# No server but this one gets its key without being told so.
_OPENAI, _OPENAI_KEY = "api.openai.com", "OPENAI_API_KEY"
_OURS = ("model", "messages", "response_format", "stream", "n")
_SHOWN = 60


@checked_options
class ChatOptions:
    """How a vision model is asked.

    Args:
        picture: how an image is written.
        temperature: of the answers; 0 for those that repeat best.
        max_tokens: most tokens of an answer; a name needs few, thinking needs many.
        request: further fields of the request, such as {"seed": 1}; they hold over the two above.
        fingerprint: version of the model behind the name; by default the URL.
        timeout: seconds to wait for an answer.
        token_env: name of the environment variable that holds the key; by default OPENAI_API_KEY for OpenAI's own
            server, and none for any other.
        service: how it wants to be asked.
    """

    picture: Picture = field(default=Picture())
    temperature: Annotated[float, Ge(0), Lt(inf)] = 0.0
    max_tokens: Annotated[int, Ge(1)] = 64
    request: Mapping[str, Any] = field(default_factory=dict)
    fingerprint: str | None = None
    timeout: Annotated[float, Gt(0)] = 60.0
    token_env: str | None = None
    service: Service = field(default=Service(in_flight=8, patience=60.0))

    def __post_init__(self) -> None:
        ours = [name for name in _OURS if name in self.request]
        if ours:
            raise PlanError(
                f"teacher.request holds {', '.join(ours)}, which the teacher writes itself; nothing was asked: leave "
                "them out"
            )


class ChatTeacher:
    """A vision model behind a prompt, of which only the class is taken that it names.

    An answer that is no class of the list, and a refusal, is an abstention: `spec.num_classes`.

    Args:
        url: of the protocol, such as https://api.openai.com/v1.
        model: the server's name of the model.
        prompt: what it is asked in words.
        image_shape: channels (1 or 3), height and width of the images as they are sent.
        options: how to ask it.
    """

    def __init__(
        self,
        url: str,
        model: str,
        prompt: Prompt,
        *,
        image_shape: tuple[int, int, int],
        options: ChatOptions | None = None,
    ) -> None:
        check_arguments(ChatTeacher.__init__, locals())
        self._options = options = options or ChatOptions()
        check_shape(image_shape)
        server = _server(url)
        token_env = options.token_env or (_OPENAI_KEY if split_url(server).hostname == _OPENAI else None)
        self._connection = Connection(
            server, token=read_token(token_env), timeout=options.timeout, size=options.service.in_flight
        )
        self._prompt, self._names, self._meter = prompt, Names(prompt.class_names), Meter()
        self._body = _body(model, prompt, options)
        self.spec: TeacherSpec = TeacherSpec(
            image_shape,
            len(prompt.class_names),
            max_batch=1,
            fingerprint=f"chat:{options.fingerprint or server}:{model}:{_digest(self._body, prompt, options.picture)}",
            levels=256,
            service=options.service,
            abstains=True,
            class_names=prompt.class_names,
            meter=self._meter,
        )
        channels, height, width = image_shape
        kind = options.picture.format + ("" if options.picture.format == "png" else f" of {options.picture.quality}%")
        how = "in JSON with one of the names" if prompt.structured else "with a name"
        self.assumptions: tuple[str, ...] = (
            f"images go as {'gray' if channels == 1 else 'coloured'} {kind}, {width}x{height}",
            f"{model} is to answer {how}, and all else is no class",
        )
        for assumption in self.assumptions:
            _log.info("%s: %s", server, assumption)

    def __call__(self, images: Float[Tensor, "b c h w"]) -> Int[Tensor, " b"]:
        """Decide; see `Teacher`. A request an image; threads may ask at once."""
        readings = [self._ask(image) for image in images]
        decisions = [self.spec.num_classes if read.decision is None else read.decision for read in readings]
        return torch.tensor(decisions, dtype=torch.int64)

    def _ask(self, image: Float[Tensor, "c h w"]) -> Reply:
        content = [{"type": "text", "text": self._prompt.text}, self._options.picture.write(image)]
        body = {**self._body, "messages": [{"role": "user", "content": content}]}
        try:
            answer = self._connection.post(_PATH, orjson.dumps(body), {"Content-Type": "application/json"})
        except Rejected as error:
            if error.code not in _REFUSALS:
                if self._prompt.structured and error.status in _UNREADABLE:
                    hint = "a server that does not know response_format needs teacher.structured left out"
                    raise Rejected(f"{error}; {hint}", code=error.code, status=error.status) from error
                raise
            self._meter.add(Bill(answers=1, uncounted=1, refused=1))
            return Reply("refused")
        try:
            reading = read_answer(answer, self._names)
        except InvalidDecision as error:
            # What cannot be read is billed as well.
            self._meter.add(read_bill(answer, "decided"))
            raise InvalidDecision(self._connection.without_token(str(error))) from None
        self._meter.add(read_bill(answer, reading.kind))
        if reading.decision is None:
            _log.debug("%s: %s", reading.kind, self._connection.without_token(reading.text)[:_SHOWN])
        return reading


def _server(url: str) -> str:
    """The URL up to the protocol's own paths."""
    server = url.rstrip("/").removesuffix(_PATH)
    if "?" in server or "#" in server:
        raise PlanError(
            "a vision model is named http(s)://HOST[:PORT]/v1 with its name beside it, got a URL with a query or a "
            "fragment; nothing was asked: correct it"
        )
    return server


def _body(model: str, prompt: Prompt, options: ChatOptions) -> dict[str, Any]:
    """All of a request but its message."""
    body: dict[str, Any] = {"model": model, "temperature": options.temperature}
    if "max_completion_tokens" not in options.request:
        body["max_tokens"] = options.max_tokens
    body |= options.request
    if prompt.response_format is not None:
        body["response_format"] = prompt.response_format
    return body


def _digest(body: dict[str, Any], prompt: Prompt, picture: Picture) -> str:
    """Tell apart whatever may change an answer."""
    asked = {"body": body, "prompt": prompt.text, "names": prompt.class_names, "picture": asdict(picture)}
    try:
        written = orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)
    except TypeError as error:
        raise PlanError(f"teacher.request cannot be sent as JSON ({error}); nothing was asked: correct it") from error
    return hashlib.sha256(written).hexdigest()[:16]
