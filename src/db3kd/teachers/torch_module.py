"""A torch module as a teacher: the argmax is taken here and the logits go no further.

Loading weights from a file is the business of `db3kd.models`.
"""

import hashlib
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn

from db3kd.models.placement import place
from db3kd.teachers.protocol import TeacherSpec
from db3kd.tensors import Float, Int, Tensor


class TorchTeacher:
    """A classifier that gives its decisions only.

    The module maps images [b c h w] to scores [b num_classes]. It is copied to the device, put in eval mode and laid
    out channels-last, which doubles its speed on a CPU, as does a batch that fits into the cache. The other arguments
    are those of `TeacherSpec`.
    """

    def __init__(
        self,
        module: nn.Module,
        *,
        input_shape: tuple[int, int, int],
        num_classes: int,
        bounds: tuple[float, float] = (0.0, 1.0),
        max_batch: int = 96,
        levels: int | None = None,
        device: str = "cpu",
    ) -> None:
        self._module = place(module, device).eval()
        self._device = torch.device(device)
        self.spec = TeacherSpec(input_shape, num_classes, bounds, max_batch, _fingerprint(module), levels)

    def __call__(self, images: Float[Tensor, "b c h w"]) -> Int[Tensor, " b"]:
        with torch.inference_mode(), _in_full_precision(self._device):
            images = images.to(self._device).contiguous(memory_format=torch.channels_last)
            scores: Tensor = self._module(images)
            decisions = scores.argmax(dim=1)
        return decisions.clone().cpu()


def _in_full_precision(device: torch.device) -> AbstractContextManager[None]:
    """Keep a GPU from shorter floats: some images would be decided otherwise than by the same weights on a CPU."""
    return torch.backends.cudnn.flags(enabled=True, allow_tf32=False) if device.type == "cuda" else nullcontext()


def _fingerprint(module: nn.Module) -> str:
    """The same for the same architecture and weights, on any device."""
    # Layers without weights, such as a ReLU and a pooling, differ only in how they are printed.
    digest = hashlib.sha256(f"{type(module).__qualname__}:{module!r}".encode())
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f"{name}:{tensor.dtype}:{tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return f"torch:{digest.hexdigest()}"
