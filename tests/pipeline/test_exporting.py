"""A student leaves as files with the same answers, and what is timed is on no budget."""

import json
from dataclasses import asdict
from pathlib import Path

import onnxruntime
import pytest
import torch
from safetensors.torch import load_file

from db3kd.data import ImageOptions
from db3kd.errors import InputError
from db3kd.models import build, weights
from db3kd.pipeline.exporting import CARD, FIGURES, INT8_FILE, ONNX_FILE, STATE_FILE, Wished, export
from db3kd.pipeline.parity import Examples
from known_teachers import Counting, Sectors
from made_runs import images

SHAPE = (1, 6, 6)
HEADER = weights.describe("made_networks:two_layers", SHAPE, 3)
NETWORK = build("made_networks:two_layers", SHAPE, 3, seed=1).eval()
SHOWN = Examples(images(labelled=True), "held-out images", torch.arange(24) % 3)


def test_files_answer_as_the_network_does(tmp_path: Path) -> None:
    teacher = Counting(Sectors(SHAPE, 3))
    exported = export(NETWORK, HEADER, tmp_path / "out", Wished(pixels="float"), examples=SHOWN, teacher=teacher)
    assert set(exported.files) == {str(tmp_path / "out" / name) for name in (ONNX_FILE, STATE_FILE)}
    assert (exported.images, exported.onnx.same_answers, exported.int8) == (24, 24, None)
    answers = NETWORK(SHOWN.images.images()).argmax(dim=1)
    assert exported.accuracy == exported.onnx.accuracy == (answers == SHOWN.classes).double().mean().item()
    assert exported.teacher_latency is not None
    assert teacher.calls == 62
    plain = load_file(tmp_path / "out" / STATE_FILE)
    assert all(torch.equal(plain[name], value) for name, value in NETWORK.state_dict().items())
    card = (tmp_path / "out" / CARD).read_text()
    assert f"it decides on {exported.accuracy:.2%} of 24 held-out images as the labels say" in card
    kept = json.loads((tmp_path / "out" / FIGURES).read_text())
    assert kept == {"format_version": 1, **json.loads(json.dumps(asdict(exported)))}


@pytest.mark.parametrize("pixels", ["uint8", "float"])
def test_the_file_says_what_it_takes(tmp_path: Path, pixels: str) -> None:
    options = ImageOptions(fit="pad", background=(0, 128, 255))
    wished = Wished(pixels, ("ant", "bee", "owl"), named=True, calibrate_on=images(40), options=options)  # type: ignore[arg-type]  # a word
    exported = export(NETWORK, HEADER, tmp_path, wished, examples=SHOWN)
    assert exported.int8 is not None
    assert exported.int8.same_answers >= 22
    assert exported.files[str(tmp_path / INT8_FILE)] < exported.files[str(tmp_path / ONNX_FILE)]
    for name in (ONNX_FILE, INT8_FILE):
        session = onnxruntime.InferenceSession(tmp_path / name)
        about = session.get_modelmeta().custom_metadata_map
        assert about["pixels"] == pixels
        assert about["value_range"] == {"uint8": "0 to 255", "float": "0 to 1"}[pixels]
        assert (about["fit"], about["background"]) == ("pad", "#0080ff")
        assert json.loads(about["class_names"]) == ["ant", "bee", "owl"]
        assert session.get_inputs()[0].type == {"uint8": "tensor(uint8)", "float": "tensor(float)"}[pixels]
        assert [one.name for one in session.get_outputs()] == ["logits", "class", "class_name"]


def test_a_file_that_answers_otherwise_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = build("made_networks:two_layers", SHAPE, 3, seed=2)
    from db3kd.models.onnx_file import to_onnx

    monkeypatch.setattr("db3kd.pipeline.exporting.to_onnx", lambda module, *rest, **more: to_onnx(other, *rest, **more))
    with pytest.raises(
        InputError, match=r"answers otherwise than the network on \d+ of 24 images; nothing was written"
    ):
        export(NETWORK, HEADER, tmp_path / "out", Wished(), examples=SHOWN)
    assert not (tmp_path / "out").exists()


def test_names_that_nobody_knows_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="names of the classes are not known"):
        export(NETWORK, HEADER, tmp_path, Wished(named=True))
