"""Networks of timm and torchvision, fitted to images and classes, in an environment beside this one."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

import db3kd
from environments import environment

pytestmark = pytest.mark.slow

# Without what they ask for: torch is seen from there, and of another build.
WANTED = ("--no-deps", "timm==1.0.31", "torchvision==0.28.0")
BUILT = [
    ("timm:mobilenetv3_small_050", (1, 40, 33)),
    ("timm:vit_tiny_patch16_224?depth=2", (3, 32, 48)),
    ("torchvision:shufflenet_v2_x0_5", (1, 40, 33)),
    ("torchvision:vit_b_16?dropout=0.1", (3, 32, 32)),
    ("torchvision:googlenet", (3, 64, 64)),
    ("timm:mobilenetv3_smal_050", (3, 32, 32)),
    ("timm:resnet10t?blub=3", (3, 32, 32)),
    ("timm:mobilenetv3_small_050?pretrained=true", (3, 32, 32)),
    ("torchvision:resnet20", (3, 32, 32)),
    ("torchvision:resnet18?pretrained=true", (3, 32, 32)),
    ("torchvision:inception_v3", (3, 32, 32)),
]
LEARNED = ["timm:mobilenetv3_small_050", "torchvision:shufflenet_v2_x0_5"]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the program printed; it finds no network and no weights that were fetched before."""
    folder, tests = environment(*WANTED, beside=True), Path(__file__).parents[1]
    empty = str(tmp_path_factory.mktemp("empty"))
    settings = {
        "PYTHONPATH": os.pathsep.join((str(Path(db3kd.__file__).parents[1]), str(tests))),
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": empty,
        "TORCH_HOME": empty,
        # Nobody answers there.
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "https_proxy": "http://127.0.0.1:9",
    }
    done = subprocess.run(
        [folder / "bin/python", tests / "library_students.py", json.dumps({"built": BUILT, "learned": LEARNED})],
        capture_output=True,
        text=True,
        env={**os.environ, **settings},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def _of(found: dict[str, Any], number: int) -> Any:
    architecture, shape = BUILT[number]
    return found["built"][f"{architecture} {list(shape)}"]


@pytest.mark.parametrize("number", range(5), ids=[name for name, _ in BUILT[:5]])
def test_channels_size_and_classes_are_fitted(found: dict[str, Any], number: int) -> None:
    figures = _of(found, number)
    assert figures.get("seeded"), figures
    assert figures["kept"]
    assert figures["training"] == [2, 5]


def test_sizes_are_those_of_the_library_with_another_head(found: dict[str, Any]) -> None:
    # 1,592,328 with three channels and 1,000 classes, of which the head has 1,025,000.
    assert _of(found, 0)["parameters"] == 573_061


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (5, "nearest are mobilenetv3_small_050"),
        (6, "cannot be built, for images of 3x32x32 and 5 classes"),
        (7, "has no weights at hand"),
        (8, "nearest are resnet50"),
        (9, "has no weights at hand"),
        (10, "does not take such images"),
    ],
)
def test_what_cannot_be_built_is_named(found: dict[str, Any], number: int, message: str) -> None:
    figures = _of(found, number)
    assert figures["error"] == "PlanError"
    assert message in figures["text"]
    assert "no network was built" in figures["text"]


@pytest.mark.parametrize("architecture", LEARNED)
def test_they_learn_and_leave_as_onnx(found: dict[str, Any], architecture: str) -> None:
    figures = found["learned"][architecture]
    assert figures["right"] >= 60
    assert figures["same"] == 64
