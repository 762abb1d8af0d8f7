"""A model server on loopback that a test scripts: it speaks the Open Inference Protocol, and fails when told to."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import torch

from db3kd.teachers import Teacher
from db3kd.tensors import Tensor

_DATATYPES = {"FP32": np.float32, "UINT8": np.uint8, "FP64": np.float64}
# What becomes of a request, by its number from 1: a script may send anything, and True leaves it to the teacher.
Script = Callable[["Handler", int], bool]


@dataclass
class Server:
    """What is served, how, and what was seen."""

    teacher: Teacher
    datatype: str = "FP32"
    layout: str = "nchw"
    gives: str = "integers"
    extensions: tuple[str, ...] = ()
    script: Script = field(default=lambda handler, number: True)
    redirect: str = ""
    url: str = ""
    served: int = 0
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    connections: list[socket.socket] = field(default_factory=list)

    def metadata(self) -> dict[str, Any]:
        channels, height, width = self.teacher.spec.input_shape
        shape = [-1, channels, height, width] if self.layout == "nchw" else [-1, height, width, channels]
        scores = self.gives != "integers"
        return {
            "name": "known",
            "versions": ["1"],
            "platform": "test",
            "inputs": [{"name": "pixels", "datatype": self.datatype, "shape": shape}],
            "outputs": [
                {
                    "name": "answer",
                    "datatype": "FP32" if scores else "INT64",
                    "shape": [-1, self.teacher.spec.num_classes] if scores else [-1],
                }
            ],
        }

    def answer(self, asked: dict[str, Any], raw: bytes) -> dict[str, Any]:
        """Decide, and say it as the server gives it."""
        (tensor,) = asked["inputs"]
        kind = _DATATYPES[tensor["datatype"]]
        flat = np.frombuffer(raw, kind) if raw else np.array(tensor["data"], dtype=kind)
        pixels = torch.from_numpy(flat.reshape(tensor["shape"]).astype(np.float32))
        images = pixels if self.layout == "nchw" else pixels.permute(0, 3, 1, 2)
        decisions = self.teacher(images / 255 if self.datatype == "UINT8" else images)
        with self.lock:
            self.served += len(decisions)
        asked_for = (asked.get("outputs") or [{}])[0].get("parameters", {})
        return {"model_name": "known", "id": asked["id"], "outputs": [self._say(decisions, asked_for)]}

    def _say(self, decisions: Tensor, asked_for: dict[str, Any]) -> dict[str, Any]:
        rows, classes = len(decisions), self.teacher.spec.num_classes
        if asked_for.get("classification"):
            texts = [f"0.{90 + row % 9}:{int(decision)}:name" for row, decision in enumerate(decisions)]
            return {"name": "answer", "datatype": "BYTES", "shape": [rows, 1], "data": texts}
        if self.gives == "scores":
            scores = torch.nn.functional.one_hot(decisions, classes) * 0.9 + 0.01
            return {"name": "answer", "datatype": "FP32", "shape": [rows, classes], "data": scores.flatten().tolist()}
        return {"name": "answer", "datatype": "INT64", "shape": [rows], "data": decisions.tolist()}


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    known: Server

    def setup(self) -> None:
        super().setup()
        self.known.connections.append(self.connection)

    def do_GET(self) -> None:
        self.known.headers.append(dict(self.headers))
        if self.known.redirect:
            self.send(307, {}, location=self.known.redirect + self.path)
        elif self.path == "/v2":
            self.send(200, {"name": "test", "version": "1", "extensions": list(self.known.extensions)})
        elif self.path == "/v2/models/known":
            self.send(200, self.known.metadata())
        else:
            self.send(404, {"error": f"unknown model, and your header was {self.headers.get('Authorization')}"})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        head = int(self.headers.get("Inference-Header-Content-Length", len(body)))
        asked, raw = json.loads(body[:head]), body[head:]
        with self.known.lock:
            self.known.requests.append(asked)
            self.known.headers.append(dict(self.headers))
            number = len(self.known.requests)
        if self.known.script(self, number):
            self.send(200, self.known.answer(asked, raw))

    def send(self, status: int, answer: object, *, location: str = "", retry_after: str = "", cut: int = 0) -> None:
        """Send an answer, or less of it than is promised."""
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if location:
            self.send_header("Location", location)
        if retry_after:
            self.send_header("Retry-After", retry_after)
        self.end_headers()
        self.wfile.write(body[: len(body) - cut])
        if cut:
            self.close_connection = True

    def reset(self) -> None:
        """Close the line without a word."""
        self.close_connection = True
        self.connection.close()

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  # the name of the library's own
        """Say nothing."""


@contextmanager
def serving(server: Server, port: int = 0) -> Iterator[Server]:
    """Serve on loopback while the test goes on."""
    with listening(type("Bound", (Handler,), {"known": server}), server.connections, port) as url:
        server.url = f"{url}/v2/models/known"
        yield server


@contextmanager
def listening(handler: type[BaseHTTPRequestHandler], connections: list[socket.socket], port: int = 0) -> Iterator[str]:
    """Listen on loopback with a handler that notes its connections; gives the URL."""
    with ThreadingHTTPServer(("127.0.0.1", port), handler) as found:
        found.daemon_threads = True
        thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{found.server_port}"
        finally:
            found.shutdown()
            thread.join()
            # As if the process had been killed: no line stays open.
            for connection in connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
