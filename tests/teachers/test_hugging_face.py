"""Classifiers of transformers as teachers, made from a configuration and saved to a folder.

What the model is shown must be what its own processor makes of the picture.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from command_line import SMALL, Caller
from db3kd.data import load
from db3kd.errors import InputError, PlanError
from db3kd.ledger import Ledger
from db3kd.oracle import Oracle
from db3kd.pipeline.kept import kept_answers
from db3kd.plan import open_teacher, parse_plan
from db3kd.runs import Keeper, existing
from db3kd.teachers import HuggingFaceTeacher, Teacher
from db3kd.tensors import Float, Tensor
from made_pictures import write_folder

transformers = pytest.importorskip("transformers")

NAMES = ("ant", "bee", "cat", "dog")
_LABELS = {"id2label": dict(enumerate(NAMES)), "label2id": {name: number for number, name in enumerate(NAMES)}}
_WORDS: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "patch_size": 8,
    "image_size": 32,
}


def _transformer(**options: Any) -> Any:
    return transformers.ViTForImageClassification(transformers.ViTConfig(**_WORDS, **{**_LABELS, **options}))


def _residual() -> Any:
    config = transformers.ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic", **_LABELS
    )
    return transformers.ResNetForImageClassification(config)


def _clip() -> Any:
    return transformers.CLIPForImageClassification(transformers.CLIPConfig(vision_config=_WORDS, **_LABELS))


def _processor(name: str) -> Any:
    return getattr(transformers, f"{name}ImageProcessorPil", None) or getattr(transformers, f"{name}ImageProcessor")


# The model, its processor, and the images that need no other resizing.
CASES: dict[str, tuple[Callable[[], Any], str, dict[str, Any], tuple[int, int, int]]] = {
    "one size": (_transformer, "ViT", {"size": {"height": 32, "width": 32}}, (3, 32, 32)),
    "middle of the shorter side": (
        _residual,
        "MobileNetV2",
        {"size": {"shortest_edge": 36}, "crop_size": {"height": 28, "width": 32}},
        (3, 36, 36),
    ),
    "a share of the middle": (_residual, "ConvNext", {"size": {"shortest_edge": 28}, "crop_pct": 0.875}, (3, 32, 32)),
    "bicubic": (
        _clip,
        "CLIP",
        {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}},
        (3, 32, 32),
    ),
    "-1 to 1, deviation twice": (
        _residual,
        "EfficientNet",
        {"size": {"height": 30, "width": 34}, "rescale_factor": 1 / 127.5, "rescale_offset": True},
        (3, 30, 34),
    ),
    "blue first": (
        _residual,
        "MobileViT",
        {"size": {"shortest_edge": 36}, "crop_size": {"height": 32, "width": 32}},
        (3, 36, 36),
    ),
    "as it is": (
        lambda: _transformer(num_channels=1),
        "ViT",
        {"do_resize": False, "do_normalize": False, "do_rescale": False},
        (1, 32, 32),
    ),
}


def _save(folder: Path, model: Any, name: str, options: dict[str, Any]) -> Path:
    torch.nn.init.normal_(next(part for part in reversed(list(model.modules())) if hasattr(part, "weight")).weight)
    model.eval().save_pretrained(folder)
    _processor(name)(**options).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    make, name, options, _ = CASES["one size"]
    return _save(tmp_path_factory.mktemp("model"), make(), name, options)


def _pictures(count: int, shape: tuple[int, int, int]) -> Float[Tensor, "n c h w"]:
    """Smooth 8-bit pictures."""
    coarse = torch.rand(count, shape[0], 5, 5, generator=torch.Generator().manual_seed(0))
    smooth = torch.nn.functional.interpolate(coarse, shape[1:], mode="bilinear", align_corners=True)
    return (255 * smooth).round() / 255


@pytest.mark.parametrize("case", CASES)
def test_a_model_is_shown_what_its_processor_makes_of_a_picture(case: str, tmp_path: Path) -> None:
    make, name, options, usual = CASES[case]
    model = make()
    teacher = HuggingFaceTeacher(_save(tmp_path, model, name, options))
    assert isinstance(teacher, Teacher)
    assert (teacher.spec.input_shape, teacher.spec.bounds) == (usual, (0.0, 1.0))
    assert (teacher.spec.num_classes, teacher.spec.class_names) == (4, NAMES)
    processor = transformers.AutoImageProcessor.from_pretrained(tmp_path, backend="pil")
    for shape in (usual, (usual[0], 40, 52)) if options.get("do_resize", True) else (usual,):
        images = _pictures(30, shape)
        pixels = [(255 * image).round().to(torch.uint8).permute(1, 2, 0).numpy() for image in images]
        shown = processor(pixels, return_tensors="pt", input_data_format="channels_last")["pixel_values"]
        with torch.no_grad():
            scores = model(pixel_values=shown).logits
        opened = HuggingFaceTeacher(tmp_path, input_shape=shape)
        best = scores.topk(2).values
        # Within, the processor rounds to 8 bits: what is a near draw may fall to the other side.
        clear = best[:, 0] - best[:, 1] > 0.1 * scores.std()
        assert clear.sum() >= 15
        assert torch.equal(opened(images)[clear], scores.argmax(1)[clear])


def test_gray_images_are_shown_in_three_channels(folder: Path) -> None:
    gray = HuggingFaceTeacher(folder, input_shape=(1, 28, 28))
    color = HuggingFaceTeacher(folder, input_shape=(3, 28, 28))
    images = _pictures(20, (1, 28, 28))
    assert torch.equal(gray(images), color(images.expand(-1, 3, -1, -1)))
    assert gray.spec.fingerprint != color.spec.fingerprint


def test_a_plan_names_it_and_the_oracle_asks_it(folder: Path) -> None:
    section = parse_plan({"teacher": {"uri": f"hf:{folder}?input_shape=3,40,40&max_batch=7"}}).teacher
    assert section is not None
    opened = open_teacher(section)
    assert opened.parameters == sum(one.numel() for one in _transformer().parameters())
    assert (opened.teacher.spec.input_shape, opened.teacher.spec.max_batch) == ((3, 40, 40), 7)
    images = _pictures(20, (3, 40, 40))
    with Ledger(None) as ledger, ledger.account("label") as account:
        assert torch.equal(Oracle(opened.teacher, account)(images), opened.teacher(images))
    wrong = parse_plan({"teacher": {"uri": f"hf:{folder}?scale=255"}}).teacher
    assert wrong is not None
    with pytest.raises(PlanError, match=r"says of it too: scale"):
        open_teacher(wrong)


@pytest.mark.slow
def test_a_folder_of_all_kinds_of_pictures_is_distilled_from_the_command_line(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = write_folder(tmp_path / "photos", plain=20)
    (photos / "broken.jpg").write_bytes(b"no picture")
    asked = ("distill", "--teacher", f"hf:{folder}", "--images", photos, "--budget", 24, "--run", tmp_path / "run")
    report = Caller(capsys)(*asked, *SMALL, "--json").figures
    assert report["class_names"] == list(NAMES)
    assert report["queries"]["total"] == 24
    assert (report["images"][0]["shape"], list(report["images"][0]["broken"])) == ([3, 32, 32], ["broken.jpg"])
    with existing(tmp_path / "run") as run:
        answers = kept_answers(Keeper(run))
    assert len(answers) > 20
    # A picture for the model itself, without a teacher of ours between.
    seen = load(str(photos), wanted=(3, 32, 32))
    processor = transformers.AutoImageProcessor.from_pretrained(folder, backend="pil")
    model = transformers.AutoModelForImageClassification.from_pretrained(folder)
    for name, decision in zip(answers.images.ids, answers.decisions.tolist(), strict=True):
        pixels = seen.pixels[seen.ids.index(name)].permute(1, 2, 0).numpy()
        shown = processor(pixels, return_tensors="pt", input_data_format="channels_last")["pixel_values"]
        with torch.no_grad():
            assert int(model(pixel_values=shown).logits.argmax()) == decision, name


def test_other_weights_have_another_fingerprint_and_names_nobody_gave_are_none(folder: Path, tmp_path: Path) -> None:
    _transformer()  # draws what the model in the folder is made of
    unnamed = _save(tmp_path, _transformer(num_labels=4, id2label=None, label2id=None), *CASES["one size"][1:3])
    teacher = HuggingFaceTeacher(unnamed)
    assert teacher.spec.class_names == ()
    assert teacher.spec.fingerprint != HuggingFaceTeacher(folder).spec.fingerprint
    assert HuggingFaceTeacher(folder).spec == HuggingFaceTeacher(folder).spec


def test_half_precision_weights_are_taken(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "half")
    transformers.AutoModelForImageClassification.from_pretrained(folder).half().save_pretrained(tmp_path / "half")
    images = _pictures(30, (3, 32, 32))
    same = HuggingFaceTeacher(tmp_path / "half")(images) == HuggingFaceTeacher(folder)(images)
    assert same.float().mean() > 0.8


class TestRefusals:
    """What is no classifier that can be shown pictures, told before anything is asked."""

    def test_a_model_without_its_classifier(self, tmp_path: Path) -> None:
        transformers.ViTModel(transformers.ViTConfig(**_WORDS)).save_pretrained(tmp_path)
        _processor("ViT")(size={"height": 32, "width": 32}).save_pretrained(tmp_path)
        with pytest.raises(PlanError, match=r"lacks weights of its classifier \(classifier.bias"):
            HuggingFaceTeacher(tmp_path)

    def test_a_processor_that_does_more_than_its_settings_say(self, tmp_path: Path) -> None:
        options = {"size": {"shortest_edge": 28}, "crop_size": {"height": 28, "width": 28}}
        with pytest.raises(PlanError, match=r"LevitImageProcessorPil\) does more to images than its settings say"):
            HuggingFaceTeacher(_save(tmp_path, _residual(), "Levit", options))

    @pytest.mark.parametrize("missing", ["preprocessor_config.json", "config.json", "model.safetensors"])
    def test_a_file_that_is_missing(self, missing: str, folder: Path, tmp_path: Path) -> None:
        shutil.copytree(folder, tmp_path / "part")
        (tmp_path / "part" / missing).unlink()
        with pytest.raises(PlanError, match="cannot be loaded as an image classifier"):
            HuggingFaceTeacher(tmp_path / "part")

    def test_a_size_that_differs_from_image_to_image(self, folder: Path, tmp_path: Path) -> None:
        shutil.copytree(folder, tmp_path / "other")
        file = tmp_path / "other" / "preprocessor_config.json"
        stated = json.loads(file.read_text())
        file.write_text(json.dumps({**stated, "size": {"longest_edge": 64}}))
        with pytest.raises(PlanError, match="differs from image to image"):
            HuggingFaceTeacher(tmp_path / "other")

    @pytest.mark.parametrize("name", ["./nothing", "/nothing", "/no/such/folder", "a/b/c", "/" + "é" * 300])
    def test_a_folder_that_is_not_there(self, name: str) -> None:
        with pytest.raises(PlanError, match=f"there is no folder {name}"):
            HuggingFaceTeacher(name)

    def test_the_extra_that_is_not_installed(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "transformers", None)
        with pytest.raises(InputError, match=r"pip install 'db3kd\[huggingface\]'"):
            HuggingFaceTeacher(folder)


@pytest.mark.slow
def test_it_is_not_imported_before_it_is_needed() -> None:
    code = "import sys, db3kd.teachers, db3kd.plan; print('transformers' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "False"
