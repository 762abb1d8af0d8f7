"""LiteLLM's proxy as a process of its own, with a handler that answers from a classifier of real digits, and fails.

As a program it serves while a command runs: `python tests/chat_proxy.py FOLDER COMMAND ...`, which finds its URL in
CHAT_URL and its key in CHAT_KEY. FOLDER/account.jsonl is the handler's own account, a line for each call that reached
it, and FOLDER/account.json what that comes to.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from environments import environment
from served_program import free_ports, served_program

# Compiling a gigabyte of packages takes longer than installing them; most modules are never imported.
WANTED = ("litellm[proxy]==1.108.7", "scikit-learn==1.9.1", "pillow==13.0.0", "--no-compile")
NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
KEY = "sk-not-a-real-key"
# A 20th of all images, drawn by the image, so that threads cannot change which.
FAULTS = ("429", "refusal", "prose", "wrong name")
_HANDLER = '''
import base64, hashlib, io, json, os, threading

import litellm, numpy
from litellm.types.utils import Choices, Message, ModelResponse, Usage
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

NAMES, FAULTS = {names!r}, {faults!r}
_digits = load_digits()
_model = LogisticRegression(max_iter=500).fit(_digits.data / 16, _digits.target)
_lock, _turned_away = threading.Lock(), set()


def _look(messages):
    """The name of the digit, and a digest of the file."""
    part = next(part for part in messages[0]["content"] if part["type"] == "image_url")
    file = base64.b64decode(part["image_url"]["url"].partition(",")[2])
    pixels = numpy.asarray(Image.open(io.BytesIO(file)).convert("L"), dtype=float) / 255
    # Each pixel of a digit comes two by two, since networks of ours need 16x16.
    return NAMES[int(_model.predict(pixels[::2, ::2].reshape(1, -1))[0])], hashlib.sha256(file).hexdigest()


def _fault(digest):
    number = int(digest[:8], 16) % 80
    return FAULTS[number] if number < len(FAULTS) else ""


class Digits(litellm.CustomLLM):
    def completion(self, model, messages, *args, **kwargs):
        name, digest = _look(messages)
        fault, refusal = _fault(digest), None
        with _lock:
            if fault == "429" and digest not in _turned_away:
                _turned_away.add(digest)
                self._note(digest, name, "429", 0, 0)
                raise litellm.RateLimitError("come again", llm_provider="digits", model=model)
        structured = (kwargs.get("optional_params") or {{}}).get("response_format")
        words = '{{"class": "%s"}}' % name if structured else name
        if fault == "refusal":
            words, refusal = None, "I cannot help with that."
        elif fault == "prose":
            words = f"The image shows the digit {{name}}, I think."
        elif fault == "wrong name":
            words = "eleven"
        # Tokens differ from image to image, so that a sum shows each of them.
        into, out = 85 + int(digest[8:10], 16), 2 + len(words or refusal) // 4
        self._note(digest, name, fault if fault != "429" else "", into, out)
        message = Message(role="assistant", content=words)
        if refusal:
            message.refusal = refusal
        usage = Usage(prompt_tokens=into, completion_tokens=out, total_tokens=into + out)
        choice = Choices(index=0, finish_reason="stop", message=message)
        return ModelResponse(model=model, choices=[choice], usage=usage)

    async def acompletion(self, *args, **kwargs):
        return self.completion(*args, **kwargs)

    def _note(self, digest, name, kind, into, out):
        line = json.dumps({{"image": digest, "name": name, "kind": kind, "input": into, "output": out}})
        with open(os.environ["DIGITS_ACCOUNT"], "a") as file:
            file.write(line + "\\n")


digits = Digits()
'''
_CONFIG = """
model_list:
  - model_name: digits
    litellm_params: {model: digits/one}
litellm_settings:
  custom_provider_map:
    - {provider: digits, custom_handler: digits_handler.digits}
  num_retries: 0
  telemetry: false
router_settings:
  num_retries: 0
  disable_cooldowns: true
general_settings:
  master_key: %s
"""


@dataclass(frozen=True)
class Proxy:
    """Where a running proxy is.

    Args:
        url: of the protocol.
        account: file of the handler's own account.
    """

    url: str
    account: Path

    @property
    def calls(self) -> list[dict[str, object]]:
        """The calls that reached the handler, in order."""
        return [json.loads(line) for line in self.account.read_text().splitlines()] if self.account.exists() else []

    @property
    def served(self) -> list[dict[str, object]]:
        """Those that it has answered."""
        return [call for call in self.calls if call["kind"] != "429"]

    @property
    def kinds(self) -> Counter[str]:
        """How many calls ended how; "" is an answer as asked for."""
        return Counter(str(call["kind"]) for call in self.calls)

    @property
    def tokens(self) -> tuple[int, int]:
        """What the handler has put on the bill, in and out."""
        return sum(int(str(one["input"])) for one in self.served), sum(int(str(one["output"])) for one in self.served)


@contextmanager
def running(folder: Path) -> Iterator[Proxy]:
    """Run the proxy on loopback.

    Args:
        folder: of its files.

    Yields:
        Where it is, once it is ready.
    """
    programs = environment(*WANTED) / "bin"
    (folder / "digits_handler.py").write_text(_HANDLER.format(names=NAMES, faults=FAULTS))
    (folder / "config.yaml").write_text(_CONFIG % KEY)
    (port,) = free_ports(1)
    told = {"DIGITS_ACCOUNT": str(folder / "account.jsonl"), "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    arguments = ("--config", "config.yaml", "--host", "127.0.0.1", "--port", str(port), "--telemetry", "False")
    url = f"http://127.0.0.1:{port}"
    with served_program((programs / "litellm", *arguments), folder, [f"{url}/health/liveliness"], told):
        yield Proxy(f"{url}/v1", folder / "account.jsonl")


def serve(folder: Path, command: list[str]) -> None:
    """Serve while a command runs, and sum up the handler's account.

    Args:
        folder: of the proxy's files.
        command: is told the URL and the key in its environment.
    """
    with running(folder) as proxy:
        subprocess.run(command, check=True, env={**os.environ, "CHAT_URL": proxy.url, "CHAT_KEY": KEY})
        images = len({one["image"] for one in proxy.served})
        into, out = proxy.tokens
        figures = {"served": len(proxy.served), "images": images, "input_tokens": into, "output_tokens": out}
        (folder / "account.json").write_text(json.dumps({**figures, "calls": proxy.kinds}, indent=2) + "\n")


if __name__ == "__main__":
    serve(Path(sys.argv[1]), sys.argv[2:])
