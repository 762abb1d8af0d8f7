"""What the manual shows is run, or held against the code: README, CONTRIBUTING and the pages in docs."""

import importlib
import importlib.util
import re
import shlex
import tomllib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np
import pytest
import torch
import typer
from PIL import Image
from torch import nn
from typer.main import get_command

from benchmark_program import Program
from benchmarks.figure import figure
from command_line import Caller
from db3kd.cli.app import COMMANDS
from db3kd.data import ImageOptions
from db3kd.data.picture import formed
from db3kd.models import build, weights
from db3kd.pipeline.exporting import Wished, export
from db3kd.plan import Plan, parse_plan
from db3kd.plan.listing import all_keys
from made_pictures import picture, write_folder

ROOT = Path(__file__).parent.parent
PAGES = {
    str(path.relative_to(ROOT)): path.read_text()
    for path in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/**/*.md"))]
}
FITS: tuple[Literal["crop", "stretch", "pad"], ...] = ("crop", "stretch", "pad")
every_page = pytest.mark.parametrize("page", PAGES)


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Caller:
    return Caller(capsys)


def _blocks(language: str, page: str = "README.md") -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGES[page], flags=re.DOTALL)


def _commands(page: str) -> Iterator[list[str]]:
    """The commands of a page, in words, without their program."""
    shown = re.findall(r"(?:^ {4}|`)(db3kd [a-z][^`\n]*)", PAGES[page], flags=re.MULTILINE)
    for line in shown:
        yield shlex.split(line, comments=True)[1:]


def _options(function: str) -> set[str]:
    module, _, name = function.partition(":")
    app = typer.Typer(add_completion=False)
    app.command()(getattr(importlib.import_module(f"db3kd.cli.{module}"), name))
    return {
        option
        for parameter in get_command(app).params
        for option in (*parameter.opts, *parameter.secondary_opts, "--help")
    }


def test_every_plan_that_is_shown_is_a_plan_and_together_they_show_every_section() -> None:
    plans = [tomllib.loads(text) for text in _blocks("toml", "docs/how-to/plans.md")]
    for written in plans:
        assert parse_plan(written, "the manual").teacher is not None
    shown = {section for written in plans for section in written}
    assert shown == set(Plan.model_fields) - {"train"}


@every_page
def test_every_command_that_is_shown_is_there_with_its_options_and_keys(page: str) -> None:
    keys = {one.key for one in all_keys()}
    for name, *words in _commands(page):
        assert name in COMMANDS, name
        known = _options(COMMANDS[name][0])
        options = {word for word in words if re.fullmatch(r"--[a-z].*", word)}
        assert options <= known, (name, options - known)
        for option, value in pairwise(words):
            key = value.partition("=")[0]
            assert option != "--set" or key in keys or key.rpartition(".")[0] in keys, key


def test_every_command_is_shown_and_so_is_every_benchmark() -> None:
    page = PAGES["docs/how-to/command-line.md"]
    assert re.findall(r"^\| `([a-z-]+)` \|", page, flags=re.MULTILINE) == list(COMMANDS)
    benchmarks = set(re.findall(r"python -m benchmarks\.([a-z_]+)", PAGES["docs/records.md"]))
    assert benchmarks == {
        *("figure", "frontier", "images", "large_pool", "lessons", "scale", "search", "wire", "zero_shot")
    }
    for name in benchmarks:
        assert importlib.util.find_spec(f"benchmarks.{name}") is not None


def test_the_house_that_is_shown_is_the_house_that_is_there() -> None:
    tree = PAGES["docs/explanation/architecture.md"].partition("src/db3kd/\n")[2].partition("benchmarks/")[0]
    named = {name for line in tree.splitlines() for name in re.findall(r"^ {2}(\S+)|^ {2}\S+ {2}(\S+)", line)[0]}
    named |= set(re.findall(r" {2}(\w+\.py)", tree))
    source = ROOT / "src" / "db3kd"
    there = {path.name for path in source.glob("*.py")} - {"__init__.py", "__main__.py"}
    there |= {f"{path.parent.name}/" for path in source.glob("*/__init__.py")}
    shown = named | set(re.findall(r"^ {2}\w+/ {2}(\w+/)", tree, flags=re.MULTILINE))
    assert shown - {""} >= there, there - shown
    for name in shown - {""}:
        assert (source / name).exists() or not name.endswith((".py", "/")), name


def test_the_picture_is_what_the_command_beside_it_draws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (line,) = re.findall(r"^ {4}python -m benchmarks\.figure (.*)$", PAGES["README.md"], re.MULTILINE)
    words = shlex.split(line)
    monkeypatch.chdir(ROOT)
    kept, drawn = Path(words[-1]), tmp_path / "drawn.svg"
    Program(capsys)(figure, *words[:-1], drawn)
    assert drawn.read_bytes() == kept.read_bytes()
    assert f"]({kept})" in PAGES["README.md"]


@every_page
def test_every_file_that_a_page_names_is_there(page: str) -> None:
    folder = (ROOT / page).parent
    for link in re.findall(r"\]\(([^)#:]+)\)", PAGES[page]):
        assert (folder / link).exists(), link
    for path in re.findall(r"`((?:[a-z_]+/)*[a-z_]+\.py)`", PAGES[page].partition("## From the reference")[0]):
        assert any((ROOT / start / path).is_file() for start in ("", "src/db3kd", "tests")) or "/" not in path, path
    for record in re.findall(r"records/\d[0-9a-z-]+", PAGES[page]):
        assert (ROOT / record / "README.md").is_file(), record


def test_the_loader_reads_what_export_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = build("lenet5-half", (1, 28, 28), 10).eval()
    header = weights.describe("lenet5-half", (1, 28, 28), 10)
    (tmp_path / "student.safetensors").write_bytes(weights.to_bytes(module, header))
    monkeypatch.chdir(tmp_path)
    (example,) = (block for block in _blocks("py", "docs/students.md") if "load_file" in block)
    names: dict[str, object] = {}
    exec(example, names)
    images = torch.rand(3, 1, 28, 28)
    student = names["student"]
    assert isinstance(student, nn.Module)
    assert torch.equal(student(images), module(images))


@pytest.mark.slow
def test_the_program_that_predicts_answers_as_the_student(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module, shape, names = build("lenet5-fifth", (3, 20, 24), 3, seed=3).eval(), (3, 20, 24), ("ant", "bee", "owl")
    export(module, weights.describe("lenet5-fifth", shape, 3), tmp_path, Wished(class_names=names))
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"```python\n(import json.*?)```", PAGES["docs/students.md"], flags=re.DOTALL)
    assert set(re.findall(r"^(?:import|from) (\w+)", example, flags=re.MULTILINE)) == {
        "json",
        "numpy",
        "onnxruntime",
        "PIL",
    }
    program: dict[str, Any] = {}
    exec(example, program)
    generator = np.random.default_rng(0)
    for number in range(8):
        pixels = generator.integers(0, 256, (20, 24, 3), dtype=np.uint8) // (1 + number) + 8 * number
        Image.fromarray(pixels).save(f"{number}.png")
        images = torch.from_numpy(pixels).permute(2, 0, 1)[None] / 255
        assert program["predict"](f"{number}.png") == names[int(module(images).argmax())]
    shown: list[Any] = []

    def run(_: object, given: dict[str, Any]) -> tuple[Any]:
        shown.append(given["images"][0])
        return (np.zeros((1, 3)),)

    program["session"] = SimpleNamespace(run=run)
    picture(50, 31).save("upright.png")
    for path in (Path("upright.png"), *write_folder(tmp_path / "odd", plain=0).iterdir()):
        for fit in FITS:
            # Where 3 pixels are left over, padding puts 1 or 2 of them first.
            if fit == "pad" and path.name == "larger.png":
                continue
            for channels in (1, 3):
                program["channels"], program["about"]["fit"] = channels, fit
                program["predict"](path)
                with Image.open(path) as image:
                    wanted, _ = formed(image, (channels, 20, 24), ImageOptions(fit=fit))
                assert np.array_equal(shown.pop(), wanted), (path.name, fit, channels)


@pytest.mark.slow
def test_the_python_example_gives_a_student_that_agrees_with_the_forest() -> None:
    (example,) = _blocks("python")
    names: dict[str, object] = {}
    exec(example + "\nimport torch\nrest = torch.tensor(images[300:])[:, None]\n", names)
    exec("agreement = (result.student(rest).argmax(1).numpy() == teacher(rest).numpy()).mean()", names)
    assert float(str(names["agreement"])) > 0.7
    exec("spent = result.spent", names)
    assert names["spent"] == 300


SMALL = {
    "train": "train.epochs=1 images.limit=40",
    "label": "images.limit=30 search.queries_per_pair=20",
    "distill": "student.epochs=1",
    "synthesize": "pool.queries_per_step=40 pool.images_per_class=2 pool.rounds=1 pool.steps=2 pool.keep=[2]",
}


def _tiny(folder: Path, shape: tuple[int, ...]) -> str:
    """Images in the place of a named data set."""
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (60, *shape), dtype=np.uint8)
    file = folder / f"{'x'.join(map(str, shape))}.npz"
    np.savez(file, images=pixels, labels=np.arange(60) % 10)
    return f"npz:{file}"


def _chosen(command: str, choice: int) -> str:
    """Take one of each list of alternatives."""
    return re.sub(r"\{([^}]*)\}", lambda found: found[1].split("/")[min(choice, found[1].count("/"))], command)


@pytest.mark.slow
def test_every_row_of_the_reference_implementation_works_as_written(tmp_path: Path, call: Caller) -> None:
    table = PAGES["docs/how-to/from-the-paper.md"]
    commands = re.findall(r"\| `(db3kd [^`]*)` \|", table)
    assert len(commands) == 7
    gray, color = _tiny(tmp_path, (28, 28)), _tiny(tmp_path, (32, 32, 3))
    teacher = f"torch:lenet5@{tmp_path}/runs/mnist-teacher/model.safetensors"
    for choice in range(3):
        for number, command in enumerate(commands):
            if choice and "{" not in command:
                continue
            name, *words = shlex.split(_chosen(command, choice))[1:]
            # The student learns where its images were labelled.
            run = f"{tmp_path}/runs/{'labelled' if '{' in command else number}-{choice}"
            places = {"mnist": gray, "fashion-mnist": gray, "cifar10": color, "torch:...": teacher, "DIR": run}
            words = [places.get(word, word) for word in words]
            words = [f"{tmp_path}/{word}" if word.startswith("runs/") else word for word in words]
            call(name, *words, *(word for key in SMALL[name].split() for word in ("--set", key)))
