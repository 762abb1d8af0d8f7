"""`db3kd export`: a student leaves as files that answer as it does, with what must be known of it."""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from safetensors.torch import load_file

import db3kd
from command_line import SMALL, TEACHER, Caller, settings
from db3kd.context import silent
from db3kd.data import ImageOptions, load
from db3kd.models import build, weights
from known_teachers import Sectors
from logged_teacher import rows_seen
from made_pictures import write_folder
from made_runs import QUICK


class TestExport:
    @pytest.mark.slow
    def test_a_student_answers_as_in_torch(self, call: Caller, trained: Path, images: str, log: Path) -> None:
        seen = rows_seen(log)
        figures = call("export", trained, "--held-out", images, "--json").figures
        assert rows_seen(log) == seen, "a function may be somebody's service: it is not asked unless told so"
        file = trained / "export/student.onnx"
        assert figures["files"][str(file)] == file.stat().st_size
        assert (figures["images"], figures["onnx"]["same_answers"], figures["parameters"]) == (12, 12, 1_718)
        assert (figures["kind"], figures["said_by"]) == ("held-out images", "labels")
        assert figures["teacher_latency"] is figures["int8"] is None
        module, _ = weights.from_file(trained / "student.safetensors")
        test = load(images, "test").images()
        session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
        for rows in (1, 5, 12):
            (logits,) = session.run(["logits"], {"images": (test[:rows] * 255).round().byte().numpy()})
            assert np.abs(logits - module(test[:rows]).detach().numpy()).max() < 1e-5
        stated = {entry.key: entry.value for entry in onnx.load(file).metadata_props}
        assert (stated["value_range"], stated["architecture"]) == ("0 to 255", "lenet5-fifth")
        plain = build("lenet5-fifth", (1, 16, 16), 4)
        plain.load_state_dict(load_file(trained / "export/student.safetensors"))
        with torch.no_grad():
            assert torch.equal(plain.eval()(test), module(test))
        assert "Questions to the teacher" in (trained / "export/model-card.md").read_text()

    def test_the_teacher_is_timed_where_asked_for_and_the_file_is_a_teacher(
        self, call: Caller, trained: Path, images: str, log: Path, tmp_path: Path
    ) -> None:
        seen = rows_seen(log)
        assert "a call to the teacher" in call("export", trained, "--time-teacher").out
        assert 0 < rows_seen(log) - seen <= 31 * 65
        asked = ("label", "--images", images, "--run", tmp_path / "again", "--json")
        done = call(*asked, "--teacher", f"onnx:{trained / 'export/student.onnx'}")
        assert done.figures["queries"]["total"] == 24
        assert "nchw (1, 16, 16) of uint8" in done.err

    def test_eight_bits_are_chosen_by_what_the_run_asked_about(
        self, call: Caller, trained: Path, images: str, tmp_path: Path
    ) -> None:
        done = call("export", trained, "--int8", "--pixels", "float")
        assert "24 of 24 images that were asked about" in done.out
        assert "as the decisions of the teacher" in done.out
        kept = json.loads((trained / "export/export.json").read_text())
        sizes = [kept["files"][str(trained / "export" / name)] for name in ("student.int8.onnx", "student.onnx")]
        assert sizes[0] < sizes[1]
        assert 20 <= kept["int8"]["same_answers"] <= kept["images"] == 24
        assert kept["takes"] == "float from 0 to 1, [n, 1, 16, 16]"
        alone = ("export", "--weights", trained / "student.safetensors", "--to", tmp_path / "out", "--int8")
        assert "name some hundreds" in call(*alone, expect=2).err
        assert "with 8 bits" in call(*alone, "--images", images, "--held-out", images).out
        assert "names of the classes are not known" in call("export", trained, "--name-output", expect=2).err

    @pytest.mark.slow
    def test_a_file_says_how_pictures_are_brought_to_what_it_takes(
        self, call: Caller, log: Path, tmp_path: Path
    ) -> None:
        photos = write_folder(tmp_path / "photos")
        asked = ("distill", *TEACHER, "--images", photos, *SMALL, "--run", tmp_path / "run")
        call(*asked, *settings(images__fit="pad", images__background="[0, 0, 255]"))
        db3kd.distill(
            Sectors((1, 16, 16)),
            photos,
            image_options=ImageOptions(fit="stretch"),
            softening="smoothed",
            student="lenet5-fifth",
            recipe=QUICK,
            run=tmp_path / "python",
            progress=silent,
        )
        for run, told in ((tmp_path / "run", ("pad", "#0000ff")), (tmp_path / "python", ("stretch", "#ffffff"))):
            call("export", run)
            about = {one.key: one.value for one in onnx.load(run / "export/student.onnx").metadata_props}
            assert (about["fit"], about["background"]) == told

    def test_a_run_without_a_report_says_what_it_asked(self, call: Caller, trained: Path) -> None:
        (trained / "report.json").unlink()
        call("export", trained, "--to", trained / "out")
        card = (trained / "out/model-card.md").read_text()
        assert "Teacher: `python:logged_teacher:decide`" in card
        assert "Questions to the teacher: 40" in card
        assert "bring the run to its end" in card

    def test_any_file_of_weights(self, call: Caller, images: str, tmp_path: Path) -> None:
        module = build("lenet5-fifth", (1, 16, 16), 4)
        file = tmp_path / "weights.safetensors"
        file.write_bytes(weights.to_bytes(module, weights.describe("lenet5-fifth", (1, 16, 16), 4)))
        found = call("export", "--weights", file, "--to", tmp_path / "out", "--held-out", images, "--json").figures
        assert found["onnx"]["same_answers"] == found["images"] == 12
        card = (tmp_path / "out/model-card.md").read_text()
        assert "does not say whom it copies" in card
        assert "of 12 held-out images as the labels say" in card
        assert "name either" in call("export", expect=2).err
        assert "--to" in call("export", "--weights", file, expect=2).err
        assert "no student" in call("export", tmp_path, expect=2).err


@pytest.mark.slow
def test_a_student_of_another_library_learns_by_another_recipe_is_tracked_and_leaves(
    call: Caller, images: str, log: Path, tmp_path: Path
) -> None:
    student = "hf:resnet?depths=[1,1]&hidden_sizes=[8,16]&embedding_size=8"
    asked = ("distill", *TEACHER, "--images", images, *SMALL[2:], "--student", student, "--run", tmp_path / "run")
    call(*asked, *settings(student__preset="photo"), "--track", "tensorboard")
    lines = [json.loads(line) for line in (tmp_path / "run/training.jsonl").read_text().splitlines()[1:]]
    # The first epoch begins with the rate of its preset's warmup.
    assert next(line["rate"] for line in lines if line["part"] == "student") == pytest.approx(0.04 * 1e-3)
    assert {path.parent.name for path in (tmp_path / "run/tensorboard").rglob("events.*")} >= {"student", "answers"}
    figures = call("export", tmp_path / "run", "--held-out", images, "--json").figures
    assert figures["onnx"]["same_answers"] == 12
    assert "student.preset" in call(*asked, *settings(student__preset="usual"), expect=2).err
    assert "expected one of tensorboard" in call(*asked, "--track", "elsewhere", expect=2).err
