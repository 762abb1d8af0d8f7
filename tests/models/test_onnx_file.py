"""A network as an ONNX file gives the logits of the network, for any number of images."""

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from db3kd.errors import InputError
from db3kd.models import build
from db3kd.models.onnx_file import to_onnx


def test_the_file_gives_the_networks_logits_and_says_what_it_is() -> None:
    network = build("lenet5-fifth", (1, 28, 28), 10).eval()
    session = onnxruntime.InferenceSession(to_onnx(network, (1, 28, 28), {"classes": "0,1,2"}))
    for count in (1, 5):
        images = torch.rand(count, 1, 28, 28, generator=torch.Generator().manual_seed(0))
        (logits,) = session.run(["logits"], {"images": images.numpy()})
        assert np.allclose(logits, network(images).detach().numpy(), atol=1e-5)
    assert session.get_modelmeta().custom_metadata_map["classes"] == "0,1,2"


def test_what_onnx_cannot_say_is_refused() -> None:
    class Undecided(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images if float(images.sum()) > 0 else -images

    with pytest.raises(InputError, match="cannot be said in ONNX"):
        to_onnx(Undecided(), (1, 4, 4), {})
