"""A network of 8-bit whole numbers answers nearly as the network does, and is a smaller file."""

import numpy as np
import onnxruntime
import pytest
import torch

from db3kd.errors import InputError
from db3kd.models import build
from db3kd.models.int8 import to_int8
from db3kd.models.onnx_file import to_onnx
from made_files import made_images

SHAPE = (1, 28, 28)


@pytest.mark.parametrize("seed", range(3))
def test_eight_bits_change_logits_little_and_make_a_smaller_file(seed: int) -> None:
    network, images = build("lenet5", SHAPE, 4, seed=seed).eval(), torch.from_numpy(made_images(64, SHAPE))
    content = to_onnx(network, SHAPE, {"classes": "0,1"}, pixels="uint8")
    small = to_int8(content, images.numpy())
    assert len(small) < 0.4 * len(content)
    session = onnxruntime.InferenceSession(small)
    (logits,) = session.run(["logits"], {"images": images.numpy()})
    expected = network(images / 255).detach().numpy()
    assert 0 < np.abs(logits - expected).max() < 0.05 * np.abs(expected).max()
    assert session.get_modelmeta().custom_metadata_map["classes"] == "0,1"


def test_eight_bits_need_images() -> None:
    content = to_onnx(build("lenet5-fifth", SHAPE, 10), SHAPE, {})
    with pytest.raises(InputError, match="by looking at images, and there are none"):
        to_int8(content, np.zeros((0, *SHAPE), np.float32))
    with pytest.raises(InputError, match="cannot quantise the network"):
        to_int8(content, np.zeros((4, 3, 5, 5), np.float32))
