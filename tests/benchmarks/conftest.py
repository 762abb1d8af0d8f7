"""What the tests of the programs share: small images, a network's file, a way to run a program in this process."""

from pathlib import Path

import pytest

from benchmark_program import Program
from db3kd.models import build, weights
from logged_teacher import write_images


@pytest.fixture(autouse=True, scope="module")
def _one_thread(one_thread: None) -> None:
    """Networks are very small here."""


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Program:
    return Program(capsys)


@pytest.fixture
def images(tmp_path: Path) -> str:
    return write_images(tmp_path / "tiny.npz")


@pytest.fixture
def teacher(tmp_path: Path) -> str:
    file = tmp_path / "teacher.safetensors"
    header = weights.describe("lenet5-fifth", (1, 16, 16), 4)
    file.write_bytes(weights.to_bytes(build("lenet5-fifth", (1, 16, 16), 4), header))
    return f"torch:{file}"
