"""MLServer, in an environment of its own: a scikit-learn model, and an ONNX file in a runtime of the user's own."""

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import urllib3
from sklearn.datasets import load_digits

from db3kd.ledger import Ledger
from db3kd.oracle import Oracle
from db3kd.pipeline.checkup import check_teacher
from db3kd.plan import parse_sections
from db3kd.plan.teachers import open_teacher
from db3kd.teachers import OnnxTeacher, Teacher
from db3kd.tensors import Float, Tensor
from environments import environment
from made_onnx import SHAPE, write_onnx

pytestmark = pytest.mark.slow

_WANTED = ("mlserver==1.7.1", "mlserver-sklearn==1.7.1", "onnxruntime", "scikit-learn")
_TRAIN = """
import joblib, sys
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
digits = load_digits()
model = LogisticRegression(max_iter=500).fit((digits.data / 16).astype("float32"), digits.target)
joblib.dump(model, sys.argv[1] + "/model.joblib")
for decision in model.predict((digits.data / 16).astype("float32")):
    print(decision)
"""
_RUNTIME = """
import onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse, ResponseOutput

class OnnxRuntime(MLModel):
    async def load(self) -> bool:
        self._session = onnxruntime.InferenceSession(self.settings.parameters.uri, providers=["CPUExecutionProvider"])
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        images = NumpyCodec.decode_input(payload.inputs[0]).astype("float32")
        (scores,) = self._session.run(["logits"], {"images": images})
        output = ResponseOutput(name="logits", datatype="FP32", shape=list(scores.shape), data=scores.ravel().tolist())
        return InferenceResponse(model_name=self.name, outputs=[output])
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A running MLServer, and the folder of its models."""
    programs, folder = environment(*_WANTED) / "bin", tmp_path_factory.mktemp("models")
    (folder / "digits").mkdir()
    (folder / "pages").mkdir()
    trained = subprocess.run(
        [programs / "python", "-c", _TRAIN, folder / "digits"], check=True, capture_output=True, text=True
    )
    (folder / "decisions.txt").write_text(trained.stdout)
    write_onnx(folder / "pages/model.onnx")
    (folder / "pages/runtime.py").write_text(_RUNTIME)
    settings: dict[str, dict[str, object]] = {
        "digits": {"implementation": "mlserver_sklearn.SKLearnModel", "parameters": {"uri": "./model.joblib"}},
        "pages": {
            "implementation": "runtime.OnnxRuntime",
            "parameters": {"uri": str(folder / "pages/model.onnx")},
            "inputs": [{"name": "images", "datatype": "FP32", "shape": [-1, *SHAPE]}],
            "outputs": [{"name": "logits", "datatype": "FP32", "shape": [-1, 7]}],
        },
    }
    for name, content in settings.items():
        (folder / name / "model-settings.json").write_text(json.dumps({"name": name, **content}))
    ports = []
    for _ in range(3):
        with socket.socket() as probing:
            probing.bind(("127.0.0.1", 0))
            ports.append(probing.getsockname()[1])
    kinds = ("http_port", "grpc_port", "metrics_port")
    about = {"host": "127.0.0.1", "parallel_workers": 0, **dict(zip(kinds, ports, strict=True))}
    (folder / "settings.json").write_text(json.dumps(about))
    with (folder / "server.log").open("w") as log:
        server = subprocess.Popen(
            [programs / "mlserver", "start", folder],
            stdout=log,
            stderr=log,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(folder / "pages")},
        )
    try:
        yield _ready(server, f"http://127.0.0.1:{ports[0]}", folder), folder
    finally:
        server.terminate()
        server.wait(60)


def _ready(server: subprocess.Popen[bytes], url: str, folder: Path) -> str:
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        assert server.poll() is None, (folder / "server.log").read_text()
        try:
            asked = [f"{url}/v2/models/{name}/ready" for name in ("digits", "pages")]
            if all(urllib3.request("GET", one, retries=False).status == 200 for one in asked):
                return url
        except urllib3.exceptions.HTTPError:
            pass
        time.sleep(0.2)
    raise AssertionError((folder / "server.log").read_text())


def _opened(uri: str) -> Teacher:
    section = parse_sections({"teacher": {"uri": uri}}, "the test").teacher
    assert section is not None
    return open_teacher(section).teacher


def _digits() -> Float[Tensor, "n c h w"]:
    return torch.from_numpy((load_digits().images / 16).astype(np.float32))[:, None]


def test_a_scikit_learn_model_that_says_nothing_of_itself(models: tuple[str, Path]) -> None:
    url, folder = models
    teacher = _opened(f"{url}/v2/models/digits?input_shape=1,8,8&layout=flat&num_classes=10&in_flight=4")
    with Ledger(None) as ledger, ledger.account("label") as account:
        decisions = Oracle(teacher, account)(_digits())
        assert account.spent == 1797
    expected = [int(line) for line in (folder / "decisions.txt").read_text().split()]
    assert decisions.tolist() == expected
    assert check_teacher(teacher, None).verdict in ("good", "one class")


def test_an_onnx_file_in_a_runtime_of_the_users_own(models: tuple[str, Path]) -> None:
    url, folder = models
    teacher, here = _opened(f"{url}/v2/models/pages"), OnnxTeacher(folder / "pages/model.onnx")
    assert (teacher.spec.input_shape, teacher.spec.num_classes) == (SHAPE, 7)
    images = torch.rand(600, *SHAPE, generator=torch.Generator().manual_seed(0))
    with Ledger(None) as ledger, ledger.account("label") as account:
        assert torch.equal(Oracle(teacher, account)(images), here(images))
