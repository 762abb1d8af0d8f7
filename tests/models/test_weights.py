"""Weights to bytes and back, and every way in which a file can be wrong."""

from pathlib import Path

import pytest
import safetensors.torch
import torch

from db3kd.errors import ArtifactError, PlanError
from db3kd.models import build
from db3kd.models.placement import place
from db3kd.models.weights import FORMAT, describe, from_file, input_shape_of, to_bytes

HEADER = describe("lenet5-fifth", (1, 28, 28), 10)


def _write(folder: Path, data: bytes) -> Path:
    path = folder / "weights.safetensors"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(("architecture", "shape"), [("lenet5-fifth", (1, 28, 28)), ("alexnet-quarter", (3, 32, 32))])
def test_what_comes_back_is_what_was_saved(tmp_path: Path, architecture: str, shape: tuple[int, int, int]) -> None:
    module = build(architecture, shape, 10, seed=5)
    header = describe(architecture, shape, 10)
    loaded, read = from_file(_write(tmp_path, to_bytes(place(module, "cpu"), header)))
    assert not loaded.training
    assert {name: read[name] for name in header} == header
    assert read["format"] == FORMAT
    assert input_shape_of(read) == shape
    saved = module.state_dict()
    assert list(loaded.state_dict()) == list(saved)
    assert all(torch.equal(value, saved[name]) for name, value in loaded.state_dict().items())


def test_other_readers_of_safetensors_can_read_it(tmp_path: Path) -> None:
    module = build("lenet5-fifth", (1, 28, 28), 10)
    path = _write(tmp_path, to_bytes(module, HEADER))
    with safetensors.safe_open(path, framework="pt") as opened:
        assert opened.metadata()["architecture"] == "lenet5-fifth"
        assert torch.equal(opened.get_tensor("features.0.weight"), module.get_parameter("features.0.weight"))


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    whole = to_bytes(build("lenet5-fifth", (1, 28, 28), 10), HEADER)
    with pytest.raises(ArtifactError, match="cannot be read: No such file"):
        from_file(tmp_path / "missing.safetensors")
    for damaged in (b"", whole[:7], whole[:100], whole[:-1], b"not safetensors at all", whole + b"more"):
        with pytest.raises(ArtifactError, match="truncated or something else"):
            from_file(_write(tmp_path, damaged))
    with pytest.raises(ArtifactError, match="was edited"):
        from_file(_write(tmp_path, whole[:-1] + bytes([whole[-1] ^ 1])))


def test_another_makers_file_is_refused(tmp_path: Path) -> None:
    tensors = build("lenet5-fifth", (1, 28, 28), 10).state_dict()
    with pytest.raises(ArtifactError, match=f"format '{FORMAT}' in its header, got None"):
        from_file(_write(tmp_path, safetensors.torch.save(tensors)))
    newer = to_bytes(build("lenet5-fifth", (1, 28, 28), 10), HEADER).replace(b"db3kd-weights-1", b"db3kd-weights-2")
    with pytest.raises(ArtifactError, match="got 'db3kd-weights-2'"):
        from_file(_write(tmp_path, newer))


@pytest.mark.parametrize(
    ("entry", "value", "error", "message"),
    [
        ("architecture", "lenet5", ArtifactError, "are not those of 'lenet5'"),
        ("architecture", "lenet9", PlanError, "is unknown"),
        ("input_shape", "1x32x32", ArtifactError, "are not those of 'lenet5-fifth' for images of 1x32x32"),
        ("input_shape", "28", ArtifactError, "must hold input_shape as in 1x28x28"),
        ("num_classes", "11", ArtifactError, "are not those of"),
        ("num_classes", "ten", ArtifactError, "a number of classes in its header"),
    ],
)
def test_a_header_that_does_not_fit_is_named(
    tmp_path: Path, entry: str, value: str, error: type[Exception], message: str
) -> None:
    data = to_bytes(build("lenet5-fifth", (1, 28, 28), 10), {**HEADER, entry: value})
    with pytest.raises(error, match=message):
        from_file(_write(tmp_path, data))
