"""MLServer, in an environment of its own: a scikit-learn model, and an ONNX file in a runtime of the user's own."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from db3kd.ledger import Ledger
from db3kd.oracle import Oracle
from db3kd.pipeline.checkup import check_teacher
from db3kd.teachers import ModelDescription, OnnxTeacher, Service
from db3kd.teachers.open_inference import OpenInferenceTeacher, ServerOptions
from db3kd.tensors import Float, Tensor
from environments import environment
from made_onnx import SHAPE, write_onnx
from ml_server import WANTED, MlServer, onnx_settings, running

pytestmark = pytest.mark.slow

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


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[MlServer, Path]]:
    """A running MLServer, and the folder of its models."""
    programs, folder = environment(*WANTED) / "bin", tmp_path_factory.mktemp("models")
    (folder / "digits").mkdir()
    (folder / "pages").mkdir()
    trained = subprocess.run(
        [programs / "python", "-c", _TRAIN, folder / "digits"], check=True, capture_output=True, text=True
    )
    (folder / "decisions.txt").write_text(trained.stdout)
    write_onnx(folder / "pages/model.onnx")
    settings: dict[str, dict[str, object]] = {
        "digits": {"implementation": "mlserver_sklearn.SKLearnModel", "parameters": {"uri": "./model.joblib"}},
        "pages": onnx_settings(folder / "pages/model.onnx", SHAPE, 7),
    }
    with running(programs, folder, settings) as server:
        yield server, folder


def _digits() -> Float[Tensor, "n c h w"]:
    return torch.from_numpy((load_digits().images / 16).astype(np.float32))[:, None]


def test_a_scikit_learn_model_that_says_nothing_of_itself(models: tuple[MlServer, Path]) -> None:
    server, folder = models
    teacher = OpenInferenceTeacher(
        f"{server.url}/v2/models/digits",
        description=ModelDescription(input_shape=(1, 8, 8), layout="flat", num_classes=10),
        options=ServerOptions(service=Service(in_flight=4)),
    )
    with Ledger(None) as ledger, ledger.account("label") as account:
        decisions = Oracle(teacher, account)(_digits())
        assert account.spent == 1797
    expected = [int(line) for line in (folder / "decisions.txt").read_text().split()]
    assert decisions.tolist() == expected
    assert check_teacher(teacher, None).verdict in ("good", "one class")


def test_an_onnx_file_in_a_runtime_of_the_users_own(models: tuple[MlServer, Path]) -> None:
    server, folder = models
    teacher, here = OpenInferenceTeacher(f"{server.url}/v2/models/pages"), OnnxTeacher(folder / "pages/model.onnx")
    assert (teacher.spec.input_shape, teacher.spec.num_classes) == (SHAPE, 7)
    images = torch.rand(600, *SHAPE, generator=torch.Generator().manual_seed(0))
    with Ledger(None) as ledger, ledger.account("label") as account:
        assert torch.equal(Oracle(teacher, account)(images), here(images))
