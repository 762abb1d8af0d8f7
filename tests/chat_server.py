"""A server of the chat-completions protocol on loopback that a test scripts: a known teacher looks at the images."""

import base64
import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import numpy as np
import torch
from PIL import Image

from db3kd.teachers import Teacher
from model_server import Handler, listening

NAMES = ("cat", "dog", "big bird", "C++", "7")
# Tokens of each question and each answer.
USAGE = {"prompt_tokens": 85, "completion_tokens": 3, "total_tokens": 88}


def completion(content: object, usage: object = USAGE, **message: object) -> dict[str, Any]:
    """An answer as the protocol has it."""
    said = {"role": "assistant", "content": content, **message}
    return {
        "id": "1",
        "object": "chat.completion",
        "choices": [{"index": 0, "message": said, "finish_reason": "stop"}],
        "usage": usage,
    }


@dataclass
class ChatServer:
    """Who looks at the images, what becomes of a request by its number, and what was seen.

    A script gives the words of an answer, or None where it has sent something itself.
    """

    teacher: Teacher
    script: Callable[["ChatHandler", int, str], str | None] = field(default=lambda handler, number, name: name)
    url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list, repr=False)
    headers: list[dict[str, str]] = field(default_factory=list, repr=False)
    images: list[bytes] = field(default_factory=list, repr=False)
    served: int = 0
    connections: list[Any] = field(default_factory=list, repr=False)
    lock: Lock = field(default_factory=Lock, repr=False)

    def look(self, asked: dict[str, Any]) -> str:
        """Give the name of the class of the image in a request."""
        (message,) = asked["messages"]
        (part,) = (part for part in message["content"] if part["type"] == "image_url")
        head, _, data = part["image_url"]["url"].partition(";base64,")
        assert head.startswith("data:image/")
        file = base64.b64decode(data)
        pixels = np.array(Image.open(io.BytesIO(file)))
        image = torch.from_numpy(pixels.astype(np.float32) / 255)
        image = image[None] if image.ndim == 2 else image.permute(2, 0, 1)
        with self.lock:
            self.images.append(file)
        return NAMES[int(self.teacher(image[None].contiguous()))]


class ChatHandler(Handler):
    """One connection."""

    chat: ChatServer

    def setup(self) -> None:
        super(Handler, self).setup()
        self.chat.connections.append(self.connection)

    def do_POST(self) -> None:  # noqa: N802  # the name of the library's own
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.chat.lock:
            self.chat.requests.append(asked)
            self.chat.headers.append(dict(self.headers))
            number = len(self.chat.requests)
        if self.path != "/v1/chat/completions":
            self.send(404, {"error": {"message": f"no {self.path}, for {self.headers.get('Authorization')}"}})
            return
        words = self.chat.script(self, number, self.chat.look(asked))
        if words is not None:
            self.serve(completion(words))

    def serve(self, answer: object, *, cut: int = 0) -> None:
        """Send an answer that is on the server's account."""
        with self.chat.lock:
            self.chat.served += 1
        self.send(200, answer, cut=cut)


@contextmanager
def chatting(server: ChatServer) -> Iterator[ChatServer]:
    """Serve on loopback while the test goes on."""
    with listening(type("Bound", (ChatHandler,), {"chat": server}), server.connections) as url:
        server.url = f"{url}/v1"
        yield server
