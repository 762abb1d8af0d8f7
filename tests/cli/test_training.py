"""`db3kd train`: a network of true labels, in a run, and a teacher from then on."""

import json
from pathlib import Path

import numpy as np

from command_line import Caller, settings
from logged_teacher import write_images

_TRAIN = (
    "train",
    "--architecture",
    "lenet5-fifth",
    *settings(train__epochs=40, train__batch_size=16, train__rate=0.01),
)


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
