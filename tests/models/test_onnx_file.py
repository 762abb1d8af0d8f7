"""A network as an ONNX file gives the logits of the network, for any number of images, in the form that it says."""

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from db3kd.errors import InputError
from db3kd.models import build
from db3kd.models.onnx_file import to_onnx, with_names

SHAPE = (1, 28, 28)


def _images(count: int) -> torch.Tensor:
    return torch.randint(0, 256, (count, *SHAPE), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_the_file_gives_the_networks_logits_and_says_what_it_is() -> None:
    network = build("lenet5-fifth", SHAPE, 10).eval()
    session = onnxruntime.InferenceSession(to_onnx(network, SHAPE, {"classes": "0,1,2"}))
    for count in (1, 5):
        images = _images(count) / 255
        (logits,) = session.run(["logits"], {"images": images.numpy()})
        assert np.allclose(logits, network(images).detach().numpy(), atol=1e-5)
    assert session.get_modelmeta().custom_metadata_map["classes"] == "0,1,2"


def test_bytes_are_prepared_in_the_file_and_classes_are_named() -> None:
    network, images = build("lenet5-fifth", SHAPE, 3).eval(), _images(40)
    content = with_names(to_onnx(network, SHAPE, {}, pixels="uint8"), ["ant", "bee", "owl"])
    session = onnxruntime.InferenceSession(content)
    assert session.get_inputs()[0].type == "tensor(uint8)"
    for count in (1, 40):
        logits, found, names = session.run(None, {"images": images[:count].numpy()})
        expected = network(images[:count] / 255).detach()
        assert np.allclose(logits, expected.numpy(), atol=1e-5)
        assert found.tolist() == expected.argmax(dim=1).tolist()
        assert names.tolist() == [("ant", "bee", "owl")[one] for one in found]


def test_what_onnx_cannot_say_is_refused() -> None:
    class Undecided(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images if float(images.sum()) > 0 else -images

    with pytest.raises(InputError, match="cannot be said in ONNX"):
        to_onnx(Undecided(), (1, 4, 4), {})
