"""MLServer as a process of its own, with a scikit-learn model or with an ONNX file in a runtime of the user's own.

As a program it measures the wire to it: `python tests/ml_server.py MODEL.onnx C,H,W CLASSES FIGURES.json`.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from environments import environment
from served_program import free_ports, served_program

WANTED = ("mlserver==1.7.1", "mlserver-sklearn==1.7.1", "onnxruntime", "scikit-learn")
_RUNTIME = """
import os

import onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse, ResponseOutput

class OnnxRuntime(MLModel):
    async def load(self) -> bool:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS", "0"))
        file, kinds = self.settings.parameters.uri, ["CPUExecutionProvider"]
        self._session = onnxruntime.InferenceSession(file, options, providers=kinds)
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        images = NumpyCodec.decode_input(payload.inputs[0]).astype("float32")
        (scores,) = self._session.run(["logits"], {"images": images})
        output = ResponseOutput(name="logits", datatype="FP32", shape=list(scores.shape), data=scores.ravel().tolist())
        return InferenceResponse(model_name=self.name, outputs=[output])
"""


@dataclass(frozen=True)
class MlServer:
    """Where a running server is.

    Args:
        url: of its models.
        metrics: of its counters.
    """

    url: str
    metrics: str


def onnx_settings(file: Path, shape: tuple[int, ...], classes: int) -> dict[str, object]:
    """What MLServer is told of an ONNX file that takes `images` and gives `logits`."""
    return {
        "implementation": "runtime.OnnxRuntime",
        "parameters": {"uri": str(file.resolve())},
        "inputs": [{"name": "images", "datatype": "FP32", "shape": [-1, *shape]}],
        "outputs": [{"name": "logits", "datatype": "FP32", "shape": [-1, classes]}],
    }


@contextmanager
def running(programs: Path, folder: Path, settings: Mapping[str, Mapping[str, object]]) -> Iterator[MlServer]:
    """Run MLServer on loopback.

    Args:
        programs: of its environment.
        folder: of its models, one folder each.
        settings: of the models, by their names.

    Yields:
        Where it is, once all models are ready.
    """
    for name, content in settings.items():
        (folder / name).mkdir(exist_ok=True)
        (folder / name / "model-settings.json").write_text(json.dumps({"name": name, **content}))
    (folder / "runtime.py").write_text(_RUNTIME)
    ports = free_ports(3)
    kinds = ("http_port", "grpc_port", "metrics_port")
    about = {"host": "127.0.0.1", "parallel_workers": 0, **dict(zip(kinds, ports, strict=True))}
    (folder / "settings.json").write_text(json.dumps(about))
    url = f"http://127.0.0.1:{ports[0]}"
    ready = [f"{url}/v2/models/{name}/ready" for name in settings]
    with served_program((programs / "mlserver", "start", folder), folder, ready, {"PYTHONPATH": str(folder)}):
        yield MlServer(url, f"http://127.0.0.1:{ports[2]}/metrics")


def measure(model: Path, shape: tuple[int, ...], classes: int, figures: Path) -> None:
    """Measure asking an ONNX file in this process and through MLServer.

    Args:
        model: takes `images` and gives `logits`.
        shape: of an image.
        classes: of the model.
        figures: file for what came out.
    """
    programs = environment(*WANTED) / "bin"
    with tempfile.TemporaryDirectory() as folder:
        settings = {"teacher": onnx_settings(model, shape, classes)}
        with running(programs, Path(folder), settings) as server:
            asked = ("--teacher", f"onnx:{model}", "--server", f"{server.url}/v2/models/teacher")
            told = ("--metrics", server.metrics, "--json", str(figures))
            subprocess.run([sys.executable, "-m", "benchmarks.wire", *asked, *told], check=True)


if __name__ == "__main__":
    _, file, sides, count, out = sys.argv
    measure(Path(file), tuple(map(int, sides.split(","))), int(count), Path(out))
