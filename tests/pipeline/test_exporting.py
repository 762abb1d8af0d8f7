"""A student leaves as files with the same answers, and what is timed is on no budget."""

from pathlib import Path

import torch
from safetensors.torch import load_file

from db3kd.models import build, weights
from db3kd.pipeline.exporting import ONNX_FILE, STATE_FILE, export
from known_teachers import Counting, Sectors
from made_runs import images

SHAPE = (1, 6, 6)


def test_files_answer_as_the_network_does(tmp_path: Path) -> None:
    network = build("made_networks:two_layers", SHAPE, 3, seed=1).eval()
    header = weights.describe("made_networks:two_layers", SHAPE, 3)
    teacher = Counting(Sectors(SHAPE, 3))
    exported = export(network, header, tmp_path / "out", held_out=images(), teacher=teacher)
    assert set(exported.files) == {str(tmp_path / "out" / name) for name in (ONNX_FILE, STATE_FILE)}
    assert (exported.images, exported.same_answers) == (24, 24)
    assert exported.teacher_latency is not None
    assert teacher.calls == 62
    plain = load_file(tmp_path / "out" / STATE_FILE)
    assert all(torch.equal(plain[name], value) for name, value in network.state_dict().items())
