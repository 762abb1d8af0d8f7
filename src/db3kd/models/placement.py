"""Where networks and images lie while they compute: the device, and channels last.

Convolutions on channels-last tensors are 1.4 to 2 times as fast on a CPU, and on recent GPUs as well. Nothing here
changes a value.
"""

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated

import torch
from annotated_types import MinLen
from torch import nn

from db3kd.errors import PlanError
from db3kd.tensors import Float, Int, Tensor, UInt8

# Networks that are asked together.
Members = Annotated[Sequence[nn.Module], MinLen(1)]


def place(module: nn.Module, device: str) -> nn.Module:
    """Copy a network to a device, laid out channels last, in the mode (training or eval) that it has."""
    # What a forward pass computed and left in a module, as weight norm does, is no weight: deepcopy refuses it.
    left = (one for part in module.modules() for one in vars(part).values() if isinstance(one, Tensor) and one.grad_fn)
    # Without gradients, or the weights of a scripted module would be results of the copying.
    with torch.no_grad():
        copied: nn.Module = copy.deepcopy(module, {id(one): one.detach().clone() for one in left})
    return copied.to(device=find_device(device)).to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]  # torch's stub of Module.to lacks memory_format alone


def find_device(device: str) -> torch.device:
    """Turn "cpu", "cuda" or "cuda:N" into a device, or raise a PlanError where there is none of it here."""
    try:
        found = torch.device(device)
    except RuntimeError as error:
        raise PlanError(f"the device {device!r} is unknown: expected cpu, cuda or cuda:N") from error
    if found.type == "cuda" and (found.index or 0) >= torch.cuda.device_count():
        raise PlanError(
            f"the device {device!r} is not there: torch {torch.__version__} sees {torch.cuda.device_count()} CUDA "
            "devices; use the device cpu, or install a CUDA build of torch"
        )
    return found


def find_gpus(device: str) -> list[str]:
    """Give the GPUs that a device stands for: "cuda" for all that there are, "cuda:N" for one, "cpu" for none."""
    if find_device(device).type != "cuda":
        return []
    return [device] if ":" in device else [f"cuda:{number}" for number in range(torch.cuda.device_count())]


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute with one thread on the CPU: the same bits, however many cores there are."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def is_faster_in_bfloat16(device: torch.device) -> bool:
    """Say whether a CPU computes faster in bfloat16 than in 32 bits; for small networks, a GPU does not."""
    if device.type != "cpu":
        return False
    # A Sapphire Rapids whose tiles (AMX) are hidden from a virtual machine has the instructions and takes twice as long
    # with them. It has AVX512-FP16 without AMX.
    can = torch.cpu.get_capabilities()
    return bool(can.get("amx_bf16") or (can.get("avx512_bf16") and not can.get("avx512_fp16")))


def settled(
    pixels: UInt8[Tensor, "n c h w"] | Float[Tensor, "n c h w"], device: torch.device
) -> UInt8[Tensor, "n c h w"] | Float[Tensor, "n c h w"]:
    """Put a set on a device, or leave it where it is if it would take more than half of what is free there."""
    if device.type == "cuda" and pixels.nbytes > torch.cuda.mem_get_info(device)[0] // 2:
        return pixels
    return pixels.to(device)


def has_bfloat16(device: torch.device) -> bool:
    """Say whether a GPU computes in bfloat16; whether that is faster depends on the network."""
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


def gather(
    pixels: UInt8[Tensor, "n c h w"] | Float[Tensor, "n c h w"], rows: Int[Tensor, " b"]
) -> Float[Tensor, "b c h w"]:
    """Take some images of a set as a network takes them: in [0, 1], 32-bit, channels last, on the set's device."""
    # A set of 8-bit images stays 8-bit: only the batch at hand takes four bytes a pixel.
    images = pixels.index_select(0, rows.to(pixels.device))
    if images.dtype == torch.uint8:
        images = images.to(torch.float32).div_(255)
    return images.to(torch.float32).contiguous(memory_format=torch.channels_last)
