"""What the tests of the command line share: small images, a teacher that keeps count, a way to call the program."""

from pathlib import Path

import pytest

from command_line import SMALL, TEACHER, Caller, settings
from logged_teacher import write_images


@pytest.fixture(autouse=True, scope="module")
def _one_thread(one_thread: None) -> None:
    """Networks are very small here."""


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Caller:
    return Caller(capsys)


@pytest.fixture
def images(tmp_path: Path) -> str:
    return write_images(tmp_path / "tiny.npz")


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the teacher writes down the rows that it served."""
    monkeypatch.setenv("LOGGED_ROWS", str(tmp_path / "rows"))
    return tmp_path / "rows"


@pytest.fixture
def plan(tmp_path: Path, images: str, log: Path) -> Path:
    path = tmp_path / "plan.toml"
    path.write_text(f"""
        [teacher]
        uri = "python:logged_teacher:decide"
        input_shape = [1, 16, 16]
        num_classes = 4
        max_batch = 64
        [images]
        source = "{images}"
        [held_out]
        source = "{images}"
        [search]
        name = "mbd"
        queries_per_pair = 80
        directions = 10
        start.exemplars = 2
        [student]
        architecture = "lenet5-fifth"
        epochs = 3
        batch_size = 16
        [budget]
        total = 100000
        price_per_1000 = 1.5
        currency = "USD"
    """)
    return path


@pytest.fixture
def trained(call: Caller, images: str, log: Path, tmp_path: Path) -> Path:
    call("distill", *TEACHER, "--images", images, *SMALL, "--run", tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def bd(images: str, log: Path) -> tuple[str, ...]:
    """`label` with the boundary distance on a few images; --run is to be added."""
    search = settings(search__exemplars=3, search__queries_per_pair=60)
    return ("label", *TEACHER, "--search", "bd", *search, "--images", images)
