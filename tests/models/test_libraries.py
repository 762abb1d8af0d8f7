"""Networks of transformers, fitted to images and classes; those of timm and torchvision are in an environment apart."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from db3kd.errors import ArtifactError, InputError, PlanError
from db3kd.models import build, weights
from db3kd.models.libraries import Fitted
from db3kd.models.onnx_file import to_onnx
from db3kd.training import Material, Objective, Recipe, fit

RESNET = "hf:resnet?depths=[1,1]&hidden_sizes=[8,16]&embedding_size=8"
VIT = "hf:vit?hidden_size=16&num_hidden_layers=1&num_attention_heads=2&intermediate_size=32&patch_size=4"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A classifier of transformers as its users keep it: colour images, 4 classes, and how pixels are prepared."""
    network = build(RESNET, (3, 16, 16), 4, seed=5)
    assert isinstance(network, Fitted)
    network.network.save_pretrained(tmp_path / "kept")  # type: ignore[operator]  # of transformers
    (tmp_path / "kept/preprocessor_config.json").write_text(
        '{"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.2, 0.1]}'
    )
    return tmp_path / "kept"


@pytest.mark.parametrize(
    ("architecture", "shape"), [(RESNET, (1, 20, 17)), (RESNET, (3, 32, 32)), (VIT, (2, 8, 12)), (VIT, (1, 16, 16))]
)
def test_channels_size_and_classes_are_fitted_and_weights_follow_from_the_seed(
    architecture: str, shape: tuple[int, int, int]
) -> None:
    before = torch.get_rng_state()
    first, again, other = (build(architecture, shape, 5, seed=seed) for seed in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), before)
    assert first.training
    pairs = zip(first.state_dict().values(), again.state_dict().values(), strict=True)
    assert all(torch.equal(one, two) for one, two in pairs)
    images = torch.rand(3, *shape)
    logits = first.eval()(images)
    assert logits.shape == (3, 5)
    assert not torch.equal(logits, other.eval()(images))


@pytest.mark.parametrize("architecture", [RESNET, VIT])
def test_a_file_of_weights_holds_all_that_a_network_is(architecture: str) -> None:
    module = build(architecture, (3, 16, 16), 4, seed=2).eval()
    raw = weights.to_bytes(module, weights.describe(architecture, (3, 16, 16), 4, module=module))
    loaded, header = weights.from_bytes(raw, "here")
    images = torch.rand(2, 3, 16, 16)
    assert torch.equal(loaded(images), module(images))
    assert header["architecture"] == architecture
    with pytest.raises(ArtifactError, match="are not those of"):
        weights.from_bytes(weights.to_bytes(module, {**header, "num_classes": "5", "configuration": ""}), "here")


@pytest.mark.slow
def test_a_network_learns_and_leaves_as_onnx() -> None:
    import onnxruntime

    labels = torch.arange(32) % 2
    pixels = torch.where(labels.bool(), 200, 50).to(torch.uint8)[:, None, None, None].expand(32, 1, 12, 12).contiguous()
    recipe = Recipe("adamw", 1e-2, epochs=8, batch_size=16, schedule="cosine", warmup=0.1)
    network = fit(build(RESNET, (1, 12, 12), 2), Material(pixels, Objective(labels=labels)), recipe)
    with torch.no_grad():
        expected = network(pixels / 255)
    assert torch.equal(expected.argmax(dim=1), labels)
    session = onnxruntime.InferenceSession(to_onnx(network, (1, 12, 12), {}, pixels="uint8"))
    (logits,) = session.run(["logits"], {"images": pixels.numpy()})
    assert torch.allclose(torch.from_numpy(logits), expected, atol=1e-4)


def test_a_folder_gives_its_configuration_and_a_run_does_not_need_it_again(folder: Path) -> None:
    architecture = f"hf:{folder}"
    module = build(architecture, (1, 16, 16), 7).eval()
    raw = weights.to_bytes(module, weights.describe(architecture, (1, 16, 16), 7, module=module))
    folder.rename(folder.with_name("moved"))
    loaded, _ = weights.from_bytes(raw, "here")
    images = torch.rand(2, 1, 16, 16)
    assert torch.equal(loaded(images), module(images))


def test_published_weights_are_fitted_to_gray_images_and_other_classes(folder: Path) -> None:
    kept = build(RESNET, (3, 16, 16), 4, seed=5).eval()
    same = build(f"hf:{folder}?pretrained=true", (3, 16, 16), 4).eval()
    images = torch.rand(2, 3, 16, 16)
    mean, deviation = (torch.tensor(one).view(3, 1, 1) for one in ([0.5, 0.4, 0.3], [0.2, 0.2, 0.1]))
    assert torch.allclose(same(images), kept((images - mean) / deviation), atol=1e-5)
    gray = build(f"hf:{folder}?pretrained=true", (1, 16, 16), 9).eval()
    first = "network.resnet.embedder.embedder.convolution.weight"
    assert torch.allclose(gray.get_parameter(first), kept.get_parameter(first).sum(dim=1, keepdim=True))
    assert gray(images[:, :1]).shape == (2, 9)
    four = build(f"hf:{folder}?pretrained=true", (4, 16, 16), 4).get_parameter(first)
    assert torch.allclose(four[:, 3], kept.get_parameter(first)[:, 0] * 3 / 4)


def test_no_pickle_is_read(folder: Path) -> None:
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")  # noqa: TID251  # what is not to be read
    (folder / "model.safetensors").unlink()
    with pytest.raises(PlanError, match=r"has no weights at hand.*pretrained=FILE\.safetensors"):
        build(f"hf:{folder}?pretrained=true", (3, 16, 16), 4)


def test_where_the_head_is_missing_it_is_drawn_by_the_seed_and_nothing_else_may_be(folder: Path) -> None:
    file = folder / "model.safetensors"
    whole = load_file(file)
    save_file({name: one for name, one in whole.items() if "classifier" not in name}, file, {"format": "pt"})
    first, again, other = (build(f"hf:{folder}?pretrained=true", (3, 16, 16), 4, seed=seed) for seed in (1, 1, 2))
    head = "network.classifier.1.weight"
    assert torch.equal(first.get_parameter(head), again.get_parameter(head))
    assert not torch.equal(first.get_parameter(head), other.get_parameter(head))
    kept = "resnet.embedder.embedder.convolution.weight"
    assert torch.equal(first.get_parameter(f"network.{kept}"), whole[kept])
    save_file({name: one for name, one in whole.items() if name != kept}, file, {"format": "pt"})
    with pytest.raises(PlanError, match=f"{kept} is missing"):
        build(f"hf:{folder}?pretrained=true", (3, 16, 16), 4)


def test_weights_of_a_file(folder: Path, tmp_path: Path) -> None:
    file = folder / "model.safetensors"
    module = build(f"{RESNET}&pretrained={file}", (3, 16, 16), 4).eval()
    images = torch.rand(2, 3, 16, 16)
    assert torch.equal(module(images), build(RESNET, (3, 16, 16), 4, seed=5).eval()(images))
    save_file({"other": torch.zeros(3)}, tmp_path / "other.safetensors")
    for wrong, message in (
        (tmp_path / "missing.safetensors", "cannot be read"),
        (tmp_path / "other.safetensors", r"do not fit hf:resnet .*is missing"),
    ):
        with pytest.raises(PlanError, match=message):
            build(f"{RESNET}&pretrained={wrong}", (3, 16, 16), 4)
    with pytest.raises(PlanError, match=r"do not fit hf:resnet .* and should be"):
        build(f"hf:resnet?depths=[1,1]&hidden_sizes=[8,24]&embedding_size=8&pretrained={file}", (3, 16, 16), 4)


@pytest.mark.parametrize(
    ("architecture", "message"),
    [
        ("hf:resnett", "hf:resnett is unknown; .* nearest are resnet"),
        ("hf:resnet?depht=3", "has no option depht; .* those of ResNetConfig are .*depths"),
        ("hf:resnet?depths", "expected hf:NAME.option=value"),
        ("hf:resnet?pretrained=3", "must be true, false or a safetensors file, got 3"),
        ("hf:resnet?hidden_sizes=7", "hf:resnet cannot be built"),
        ("hf:swin?patch_size=4", "does not take such images"),
        ("hf:/no/such/folder", "cannot be built"),
    ],
)
def test_what_cannot_be_built_is_named(architecture: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(PlanError, match=message):
        build(architecture, (1, 28, 28), 10)


def test_a_library_that_is_not_installed_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for library, package, extra in (
        ("timm", "timm", "timm"),
        ("torchvision", "torchvision", "torchvision"),
        ("hf", "transformers", "huggingface"),
    ):
        monkeypatch.setitem(__import__("sys").modules, package, None)
        with pytest.raises(InputError, match=rf"needs the extra {extra}, .* pip install 'db3kd\[{extra}\]'"):
            build(f"{library}:resnet18", (3, 32, 32), 10)


def test_logits_of_an_object_are_taken() -> None:
    class Told:
        def __init__(self, logits: torch.Tensor) -> None:
            self.logits = logits

    class Network(nn.Module):
        def forward(self, images: torch.Tensor) -> Told:
            return Told(images.flatten(1))

    images = torch.rand(2, 1, 2, 2)
    assert torch.allclose(Fitted(Network(), (0.5,), (0.25,))(images), (images.flatten(1) - 0.5) / 0.25)
