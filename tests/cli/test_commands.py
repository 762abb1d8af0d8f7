"""The commands beside the whole job: train, evaluate, export, plan, check-teacher; help and version."""

import json
import subprocess
import sys
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
from logged_teacher import rows_seen, write_images
from made_pictures import write_folder
from made_runs import QUICK

_TRAIN = (
    "train",
    "--architecture",
    "lenet5-fifth",
    *settings(train__epochs=40, train__batch_size=16, train__rate=0.01),
)


@pytest.fixture
def trained(call: Caller, images: str, log: Path, tmp_path: Path) -> Path:
    call("distill", *TEACHER, "--images", images, *SMALL, "--run", tmp_path / "run")
    return tmp_path / "run"


def test_train_gives_a_teacher_that_label_can_ask(call: Caller, images: str, tmp_path: Path) -> None:
    done = call(*_TRAIN, "--data", images, "--run", tmp_path / "t", "--json")
    assert done.figures["test"]["accuracy"] > 0.5
    assert done.figures["parameters"] == 1_718
    assert json.loads((tmp_path / "t/train.json").read_text()) == done.figures
    uri = f"torch:lenet5-fifth@{tmp_path / 't/model.safetensors'}"
    found = call("label", "--teacher", uri, "--images", images, "--run", tmp_path / "l", "--json").figures
    assert found["queries"]["by_stage"] == {"answers": 24}
    again = call("train", "--run", tmp_path / "t")
    assert "accuracy" in again.out
    assert f"--teacher {uri}" in again.err
    (stage,) = call("status", tmp_path / "t", "--json").figures["stages"]
    assert (stage["name"], stage["state"], stage["done"], stage["unit"]) == ("model", "done", 40, "epochs")
    other = call(*_TRAIN, "--data", images, "--run", tmp_path / "t", *settings(train__epochs=9), expect=2)
    assert "train.epochs is 40" in other.err


def test_train_without_a_test_split_says_so(call: Caller, tmp_path: Path) -> None:
    write_images(tmp_path / "both.npz")
    with np.load(tmp_path / "both.npz") as both:
        np.savez(tmp_path / "one.npz", images=both["images"], labels=both["labels"])
        np.savez(tmp_path / "bare.npz", images=both["images"])
    done = call(*_TRAIN, "--data", f"npz:{tmp_path / 'one.npz'}", "--run", tmp_path / "t", "--json")
    assert done.figures["test"] is None
    assert "images_test" in done.err
    assert "no labels" in call(*_TRAIN, "--data", f"npz:{tmp_path / 'bare.npz'}", "--run", tmp_path / "b", expect=2).err
    assert "--data" in call("train", "--run", tmp_path / "n", expect=2).err


def test_evaluate_measures_a_network_by_itself(call: Caller, images: str, log: Path, trained: Path) -> None:
    seen = rows_seen(log)
    asked = ("evaluate", "--weights", trained / "student.safetensors", "--data", images)
    alone = call(*asked, "--json").figures
    assert alone["agreement"] is None
    beside = call(*asked, *TEACHER, "--json").figures
    assert beside["accuracy"] == alone["accuracy"]
    assert beside["agreement"] is not None
    assert beside["held_out_queries"] == rows_seen(log) - seen == 12
    assert "accuracy" in call(*asked).out
    call("evaluate", expect=2)
    call("evaluate", trained, "--data", images, expect=2)
    assert "names no held-out images" in call("evaluate", trained, expect=2).err


def test_evaluate_takes_the_same_teacher_from_another_place(
    call: Caller, images: str, log: Path, trained: Path
) -> None:
    moved = ("--teacher", f"{TEACHER[1]}&patience=3")
    report = call("evaluate", trained, "--held-out", images, *moved, "--json").figures
    assert report["students"][0]["agreement"] is not None
    assert "patience" not in (trained / "plan.toml").read_text()


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


def test_check_teacher_gives_a_verdict_and_plan_lines(
    call: Caller, images: str, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ("check-teacher", TEACHER[1])
    found = call(*asked, "--data", images, "--json").figures
    assert found["verdict"] == "good"
    assert found["agreements"][0]["right"] == 12
    assert found["queries"] == rows_seen(log) <= 200
    assert found["plan"][0] == 'uri = "python:logged_teacher:decide"'
    assert "num_classes = 4" in call(*asked).out
    assert call(*asked, "--split", "train", "--queries", 8, "--json").figures["queries"] <= 8
    monkeypatch.setenv("LOGGED_FAILS_AFTER", "0")
    assert "the service is gone" in call(*asked, expect=4).err


def test_plan_lists_every_key(call: Caller) -> None:
    keys = {(one["key"], one["where"]): one for one in json.loads(call("plan", "--json").out)}
    assert keys["search.directions", "guided"]["default"] == "20"
    assert keys["rounds.opening", ""]["type"] == "number > 0, <= 1"
    assert all(one["help"] for one in keys.values())
    shown = call("plan", "search").out
    assert "search.queries_per_pair" in shown
    assert "student" not in shown
    assert "images" in call("plan", "colour", expect=2).err


def test_help_is_there_without_torch() -> None:
    code = "import sys\ntry:\n main(['--help'])\nexcept SystemExit:\n print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", f"from db3kd.cli import main\n{code}"], check=True, capture_output=True, text=True
    )
    assert done.stdout.strip().endswith("False")
    assert "check-teacher" in done.stdout


def test_the_help_of_an_option_is_that_of_its_key(call: Caller) -> None:
    shown = " ".join(call("distill", "--help").out.replace("│", " ").split())
    assert "Most queries of all stages" in shown
    assert "without paying twice" in shown


def test_python_m_is_the_program(call: Caller) -> None:
    assert call("--version").out.strip() == db3kd.__version__
    done = subprocess.run([sys.executable, "-m", "db3kd", "--version"], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == db3kd.__version__


def test_a_folder_of_pictures_of_all_kinds_is_a_source(
    call: Caller, log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("db3kd.data.pixel_rows.KEPT_FROM", 0)
    folder = write_folder(tmp_path / "photos")
    (folder / "empty.jpg").write_bytes(b"")
    asked = ("label", *TEACHER, "--images", folder, *settings(images__fit="pad"), "--run", tmp_path / "run")
    call(*asked, "--dry-run", "--no-measure")
    assert not (tmp_path / "run").exists()
    done = call(*asked)
    assert rows_seen(log) == 20
    assert "20 of photos/train" in done.out
    assert "21 images brought to 16x16 gray (pad): 19 scaled" in done.err
    assert "1 of 21 images cannot be read and were left out: empty.jpg" in done.err
    assert (tmp_path / "run/pixels/images.pixels").stat().st_size == 20 * 16 * 16
    stopped = call(*asked, *settings(images__broken="stop"), expect=2)
    assert "images.broken" in stopped.err
    other = call("label", *TEACHER, "--images", tmp_path / "nowhere", "--run", tmp_path / "other", expect=2)
    assert "no such folder" in other.err
