"""What the README shows is run, or held against the code."""

import re
import tomllib
from pathlib import Path

import pytest
import torch
from torch import nn
from typer.main import get_command

from db3kd.cli.app import app
from db3kd.models import build, weights
from db3kd.plan import parse_plan
from db3kd.plan.synthesis_keys import SynthesizeSection

README = (Path(__file__).parent.parent / "README.md").read_text()


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_the_plan_with_every_key_is_a_plan_and_has_every_key() -> None:
    without, pushed, text = _blocks("toml")
    written = tomllib.loads(text)
    plan = parse_plan(written, "the README")
    for section, value in plan:
        assert section == "synthesize" or set(written[section]) == set(type(value).model_fields), section
    dataless = tomllib.loads(without)
    assert parse_plan(dataless, "the README").explores
    repulsion = dataless | tomllib.loads(pushed)
    assert not parse_plan(repulsion, "the README").explores
    assert set(dataless["synthesize"]) | set(repulsion["synthesize"]) == set(SynthesizeSection.model_fields)


def test_every_command_that_is_shown_is_there() -> None:
    command = get_command(app)
    known = set(command.commands)  # type: ignore[attr-defined]  # typer gives a group, typed as a command
    shown = set(re.findall(r"(?:^    |`)db3kd ([a-z][a-z-]*)", README, flags=re.MULTILINE))
    assert shown <= known, shown - known
    assert {"train", "label", "distill", "evaluate", "run", "status"} <= shown


def test_every_figure_has_its_record() -> None:
    root = Path(__file__).parent.parent
    named = set(re.findall(r"records/[0-9a-z-]+", README))
    assert named
    for folder in named:
        assert (root / folder / "README.md").is_file(), folder


def test_the_loader_reads_what_export_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = build("lenet5-half", (1, 28, 28), 10).eval()
    header = weights.describe("lenet5-half", (1, 28, 28), 10)
    (tmp_path / "student.safetensors").write_bytes(weights.to_bytes(module, header))
    monkeypatch.chdir(tmp_path)
    (example,) = _blocks("py")
    names: dict[str, object] = {}
    exec(example, names)
    images = torch.rand(3, 1, 28, 28)
    student = names["student"]
    assert isinstance(student, nn.Module)
    assert torch.equal(student(images), module(images))


@pytest.mark.slow
def test_the_python_example_gives_a_student_that_agrees_with_the_forest() -> None:
    (example,) = _blocks("python")
    names: dict[str, object] = {}
    exec(example + "\nimport torch\nrest = torch.tensor(images[300:])[:, None]\n", names)
    exec("agreement = (student(rest).argmax(1).numpy() == teacher(rest).numpy()).mean()", names)
    assert float(str(names["agreement"])) > 0.7
