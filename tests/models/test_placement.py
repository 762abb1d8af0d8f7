"""Moving networks and images changes no value, and a device that is not there is named."""

import pytest
import torch

from db3kd.errors import PlanError
from db3kd.models import build
from db3kd.models.placement import find_device, find_gpus, gather, is_faster_in_bfloat16, place


def test_the_copy_is_channels_last_and_the_original_stays() -> None:
    module = build("alexnet-quarter", (3, 32, 32), 10)
    placed = place(module, "cpu")
    weight, copied = module.get_parameter("features.4.weight"), placed.get_parameter("features.4.weight")
    assert copied.is_contiguous(memory_format=torch.channels_last)
    assert weight.is_contiguous()
    assert torch.equal(weight, copied)
    assert weight.data_ptr() != copied.data_ptr()


def test_eight_bit_images_become_fractions() -> None:
    pixels = torch.tensor([0, 51, 102, 255], dtype=torch.uint8).view(2, 2, 1, 1).expand(2, 2, 3, 3).contiguous()
    images = gather(pixels, torch.tensor([1, 0, 1]))
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(images[:, :, 0, 0], torch.tensor([[102 / 255, 1.0], [0.0, 0.2], [102 / 255, 1.0]]))
    assert torch.equal(gather(pixels.float() / 255, torch.tensor([1, 0, 1])), images)


@pytest.mark.parametrize(("device", "message"), [("gpu", "is unknown"), ("cuda:63", "is not there")])
def test_a_device_that_is_not_there(device: str, message: str) -> None:
    with pytest.raises(PlanError, match=message):
        find_device(device)


def test_a_device_stands_for_all_gpus_or_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 3)
    assert find_gpus("cpu") == []
    assert find_gpus("cuda") == ["cuda:0", "cuda:1", "cuda:2"]
    assert find_gpus("cuda:1") == ["cuda:1"]


@pytest.mark.parametrize(
    ("can", "faster"),
    [
        ({"avx512_bf16": True, "avx512_fp16": True, "amx_bf16": True}, True),
        ({"avx512_bf16": True, "avx512_fp16": False, "amx_bf16": False}, True),
        ({"avx512_bf16": True, "avx512_fp16": True, "amx_bf16": False}, False),
        ({"avx2": True}, False),
    ],
)
def test_bfloat16_is_for_cpus_that_are_faster_so(
    can: dict[str, bool], faster: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: can)
    assert is_faster_in_bfloat16(torch.device("cpu")) is faster
    assert not is_faster_in_bfloat16(torch.device("cuda"))
