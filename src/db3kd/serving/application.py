"""The server itself: routes, limits, and what a client hears when something is refused.

An answer holds the class of each image and nothing else; no response or header holds a score. It knows no address: that
is for `binding`. Needs the extra `serve`.
"""

import asyncio
import hashlib
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import orjson
from prometheus_client import CollectorRegistry, Counter, generate_latest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from db3kd import __version__
from db3kd.errors import BudgetExhausted, InputError, StorageError, TeacherError
from db3kd.oracle import Oracle
from db3kd.serving.clients import Client, Clients
from db3kd.serving.inference import INPUT, OUTPUT, InferenceRequest, datatype_of, read_request
from db3kd.serving.memory import Memory
from db3kd.serving.upstream import Upstream, WholeRequest
from db3kd.teachers import Teacher
from db3kd.tensors import Float, Int, Tensor

_log = logging.getLogger(__name__)

_EXTENSIONS = ["binary_tensor_data"]
# A float in JSON takes at most so many characters, with its comma.
_CHARACTERS = 26
_AROUND_THE_DATA = 4096
_THREADS = 2
_SECONDS_UNTIL_ROOM = 1


@dataclass(frozen=True)
class RequestLimits:
    """What a request may be.

    Args:
        rows: most images.
        body_bytes: most bytes; None for what so many images take in JSON.
        body_seconds: most seconds until it is all there.
        at_once: most requests under way; one more is asked to come back later.
    """

    rows: int = 1024
    body_bytes: int | None = None
    body_seconds: float = 30.0
    at_once: int = 256


def make_application(
    teacher: Teacher,
    clients: Clients,
    *,
    name: str = "teacher",
    limits: RequestLimits | None = None,
    memory: Memory | None = None,
) -> Starlette:
    """Make the ASGI application that serves a teacher to its clients; without a memory, it is asked each time."""
    served = _Served(teacher, clients, name, limits or RequestLimits(), memory)
    model = f"/v2/models/{name}"
    routes = [
        Route("/v2", served.server_metadata),
        Route("/v2/health/live", served.health),
        Route("/v2/health/ready", served.health),
        Route("/metrics", served.metrics),
    ]
    for path in (model, f"{model}/versions/{served.version}"):
        routes += [
            Route(path, served.model_metadata),
            Route(f"{path}/ready", served.health),
            Route(f"{path}/infer", served.infer, methods=["POST"]),
        ]
    return Starlette(routes=routes, exception_handlers={HTTPException: lambda _, refusal: _refuse(refusal)})


class _Served:
    """What the routes share."""

    def __init__(
        self, teacher: Teacher, clients: Clients, name: str, limits: RequestLimits, memory: Memory | None
    ) -> None:
        self._teacher, self._clients, self._memory = Upstream(teacher, memory), clients, memory
        self._name, self._limits = name, limits
        spec = self._teacher.spec
        pixels = limits.rows * spec.input_shape[0] * spec.input_shape[1] * spec.input_shape[2]
        self._most_bytes = limits.body_bytes or pixels * _CHARACTERS + _AROUND_THE_DATA
        self.version = hashlib.sha256(spec.fingerprint.encode()).hexdigest()[:16]
        # One teacher, one caller at a time: not every teacher may be called by several threads.
        self._turn = threading.Lock()
        self._threads = ThreadPoolExecutor(_THREADS)
        self._under_way = 0
        self._registry = CollectorRegistry()
        counter = partial(Counter, namespace="db3kd", registry=self._registry)
        self._requests = counter("requests", "Requests for decisions, by the status of the answer.", ["status"])
        self._rows = counter("rows", "Rows that were decided.")
        self._remembered = counter("remembered_rows", "Rows that were answered from memory, and charged to nobody.")
        self._again = counter(
            "charged_again_rows", "Rows charged again: a call without an answer may have been served."
        )
        self._teacher_seconds = counter("teacher_seconds", "Seconds in the teacher.")
        self._request_seconds = counter("request_seconds", "Seconds from a whole request to its answer.")

    async def infer(self, request: Request) -> Response:
        full = self._under_way >= self._limits.at_once
        self._under_way += 1
        try:
            response = await self._infer(request, full=full)
        except HTTPException as refusal:
            response = _refuse(refusal)
        finally:
            self._under_way -= 1
        self._requests.labels(str(response.status_code)).inc()
        return response

    async def _infer(self, request: Request, *, full: bool) -> Response:
        client = self._clients.recognise(request.headers.get("authorization"))
        # What is refused is read, too, and dropped: an answer in the middle of a request may not reach the sender.
        body = await self._read(request, keep=client is not None and not full)
        if full:
            # With a time to come back: a client then knows that nothing was charged.
            raise HTTPException(503, "too many requests at once", {"Retry-After": str(_SECONDS_UNTIL_ROOM)})
        if client is None:
            raise HTTPException(401, "a bearer token is needed", {"WWW-Authenticate": "Bearer"})
        head_length = request.headers.get("inference-header-content-length")
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._answer, body, head_length, client)

    async def _read(self, request: Request, *, keep: bool) -> bytes:
        """Take in a request within the limits, and give it where it is to be kept."""
        parts, size = [], 0
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                async for part in request.stream():
                    size += len(part)
                    if size > self._most_bytes:
                        refused = f"a request may have {self._most_bytes} bytes"
                        raise HTTPException(413, refused, {"Connection": "close"})
                    if keep:
                        parts.append(part)
        except TimeoutError as error:
            seconds = self._limits.body_seconds
            raise HTTPException(408, f"the request was not there in {seconds:g} s", {"Connection": "close"}) from error
        except ClientDisconnect as error:
            raise HTTPException(400, "the client left") from error
        return b"".join(parts)

    def _answer(self, body: bytes, head_length: str | None, client: Client) -> Response:
        began = time.perf_counter()
        try:
            asked = read_request(body, head_length, self._teacher.spec, max_rows=self._limits.rows)
            wait = client.admit(len(asked.images))
            if wait:
                raise HTTPException(429, "too many rows a second", {"Retry-After": f"{wait:.3f}"})
            with self._turn:
                started = time.perf_counter()
                decisions = self._decide(client, asked.images)
                self._teacher_seconds.inc(time.perf_counter() - started)
        except InputError as error:
            raise HTTPException(400, str(error)) from error
        self._rows.inc(len(decisions))
        response = self._write(asked, decisions)
        self._request_seconds.inc(time.perf_counter() - began)
        return response

    def _decide(self, client: Client, images: Float[Tensor, "b c h w"]) -> Int[Tensor, " b"]:
        """Recall or ask; a refusal says what it cost."""
        account, before = client.account, client.account.spent
        request = WholeRequest(self._teacher, account, self._limits.rows)
        # It checks the images and charges the client before the teacher is called.
        oracle = Oracle(request, account, known=True)
        try:
            if self._memory is None:
                return oracle(images)
            decisions, remembered = self._memory.ask(oracle, images)
        except BudgetExhausted as error:
            left = f"the budget of {error.limit} rows is spent but for {error.limit - error.spent}"
            raise HTTPException(403, f"{left}; {_cost(account.spent - before)}") from error
        except TeacherError as error:
            raise _failure("the teacher failed", account.spent - before) from error
        except StorageError as error:
            _log.error("a request was refused: %s", error)
            raise _failure("the ledger cannot be written", account.spent - before) from error
        finally:
            self._again.inc(request.asking.usage.repeated)
        self._remembered.inc(remembered)
        return decisions

    def _write(self, asked: InferenceRequest, decisions: Int[Tensor, " b"]) -> Response:
        output: dict[str, object] = {"name": OUTPUT, "datatype": "INT64", "shape": [len(decisions)]}
        raw = b""
        if asked.binary:
            raw = decisions.numpy().astype("<i8").tobytes()
            output["parameters"] = {"binary_data_size": len(raw)}
        else:
            output["data"] = decisions.numpy().astype(np.int64)
        answer: dict[str, object] = {"model_name": self._name, "model_version": self.version, "outputs": [output]}
        if asked.identity is not None:
            answer["id"] = asked.identity
        head = orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)
        if not asked.binary:
            return Response(head, media_type="application/json")
        headers = {"Inference-Header-Content-Length": str(len(head))}
        return Response(head + raw, headers=headers, media_type="application/octet-stream")

    def server_metadata(self, request: Request) -> Response:
        return JSONResponse({"name": "db3kd", "version": __version__, "extensions": _EXTENSIONS})

    def model_metadata(self, request: Request) -> Response:
        spec = self._teacher.spec
        # Nothing is said of what is as usual, so that the model stays the one that it was.
        named = {"class_names": list(spec.class_names)} if spec.class_names else {}
        abstaining = {"abstains": True} if spec.abstains else {}
        return JSONResponse(
            {
                "name": self._name,
                "versions": [self.version],
                "platform": "db3kd",
                "inputs": [{"name": INPUT, "datatype": datatype_of(spec), "shape": [-1, *spec.input_shape]}],
                "outputs": [{"name": OUTPUT, "datatype": "INT64", "shape": [-1]}],
                "parameters": {
                    "num_classes": spec.num_classes,
                    "max_rows": self._limits.rows,
                    **named,
                    **abstaining,
                },
            }
        )

    def health(self, request: Request) -> Response:
        return JSONResponse({"live": True, "ready": True})

    def metrics(self, request: Request) -> Response:
        """Give the counters for Prometheus; they name no client."""
        return Response(generate_latest(self._registry), media_type="text/plain; version=0.0.4; charset=utf-8")


def _cost(rows: int) -> str:
    """Say what a request without an answer cost."""
    return f"{rows} rows stay charged" if rows else "nothing was charged"


def _failure(what: str, charged: int) -> HTTPException:
    """Say what failed; with a time to come back only where nothing was charged: a client of ours counts on that."""
    headers = None if charged else {"Retry-After": str(_SECONDS_UNTIL_ROOM)}
    return HTTPException(502 if charged else 503, f"{what}; {_cost(charged)}", headers)


def _refuse(refusal: Exception) -> Response:
    """Say what is refused and why, in the form that the protocol has for errors."""
    assert isinstance(refusal, HTTPException), "registered for this class alone"
    return JSONResponse({"error": refusal.detail}, refusal.status_code, headers=refusal.headers)
