"""A torch module as a teacher: the class is taken here and the scores go no further.

Loading weights from a file is the business of `db3kd.models`, reading an answer that of `torch_output`.
"""

import hashlib
import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext, suppress

import torch
from torch import nn

from db3kd.arguments import check_arguments
from db3kd.errors import PlanError
from db3kd.models.placement import place
from db3kd.teachers.protocol import TeacherSpec
from db3kd.teachers.torch_output import classes_of
from db3kd.tensors import Float, Int, Tensor

_log = logging.getLogger(__name__)


class TorchTeacher:
    """A classifier that gives its decisions only.

    The module may be scripted, compiled or exported, of any floating-point type and on any device. It is copied to
    `device` and left as it is; the copy is put in eval mode (the log says so where it was not) and laid out
    channels-last, which doubles its speed on a CPU, as does a batch that fits into the cache.

    Args:
        module: maps images [b c h w] to scores [b num_classes], or to whole numbers [b] that are the classes. They may
            have axes of length 1 behind the first, and be in a tuple, a dictionary or an object with `logits`.
        input_shape: channels, height and width of one image.
        num_classes: number of classes.
        bounds: lowest and highest pixel value that it takes.
        max_batch: most images a call; an exported module of a fixed batch size has that, and a smaller batch is filled
            up for it.
        levels: number of values a pixel may take between the bounds, or None.
        device: where the copy runs: "cpu", "cuda" or "cuda:N".
        class_names: what the classes are called, or empty.
    """

    def __init__(  # what a TeacherSpec says, keyword-only
        self,
        module: nn.Module | torch.export.ExportedProgram,
        *,
        input_shape: tuple[int, int, int],
        num_classes: int,
        bounds: tuple[float, float] = (0.0, 1.0),
        max_batch: int = 96,
        levels: int | None = None,
        device: str = "cpu",
        class_names: Sequence[str] = (),
    ) -> None:
        check_arguments(TorchTeacher.__init__, locals())
        module = module.module() if isinstance(module, torch.export.ExportedProgram) else module
        self._module = _copied(module, device)
        self._device = torch.device(device)
        self._kind = _kind_of(self._module)
        self._batch = _fixed_batch(self._module)
        self.spec = TeacherSpec(
            input_shape,
            num_classes,
            bounds,
            self._batch or max_batch,
            _fingerprint(module),
            levels,
            class_names=tuple(class_names),
        )

    def __call__(self, images: Float[Tensor, "b c h w"]) -> Int[Tensor, " b"]:
        """Decide; see `Teacher`."""
        rows, missing = len(images), (self._batch or 0) - len(images)
        with torch.inference_mode(), _in_full_precision(self._device):
            images = images.to(self._device, self._kind).contiguous(memory_format=torch.channels_last)
            if missing > 0:
                images = torch.cat([images, images[-1:].expand(missing, -1, -1, -1)])
            decisions = classes_of(self._module(images), len(images), self.spec.num_classes)
        return decisions[:rows].clone().cpu()


def _copied(module: nn.Module, device: str) -> nn.Module:
    """Copy a module to a device, in eval mode."""
    try:
        copied = place(module, device)
    except NotImplementedError as error:
        raise PlanError(
            f"the module has no weights yet: some are on the device 'meta' ({error}); nothing was asked: load them"
        ) from error
    except (RuntimeError, TypeError, AttributeError, ValueError) as error:
        raise PlanError(
            f"the module cannot be copied to {device} ({type(error).__name__}: {error}); nothing was asked: wrap it in "
            "a function, as FunctionTeacher(lambda images: module(torch.from_numpy(images)).argmax(1), ...)"
        ) from error
    if not module.training:
        return copied
    # An exported module is as it was exported.
    with suppress(NotImplementedError):
        copied = copied.eval()
        _log.warning("the module was in training mode: the teacher is a copy of it in eval mode")
    return copied


def _kind_of(module: nn.Module) -> torch.dtype:
    """The type of floats that a module takes: that of its first weight."""
    tensors = (*module.parameters(), *module.buffers())
    return next((one.dtype for one in tensors if one.is_floating_point()), torch.float32)


def _fixed_batch(module: nn.Module) -> int | None:
    """The rows of every call of an exported module that takes no other number; None for all others."""
    if not isinstance(module, torch.fx.GraphModule):
        return None
    shapes = [getattr(node.meta.get("val"), "shape", None) for node in module.graph.nodes if node.op == "placeholder"]
    rows = [shape[0] for shape in shapes if shape is not None and len(shape) == 4]
    return rows[0] if rows and isinstance(rows[0], int) else None


def _in_full_precision(device: torch.device) -> AbstractContextManager[None]:
    """Keep a GPU from shorter floats: some images would be decided otherwise than by the same weights on a CPU."""
    return torch.backends.cudnn.flags(enabled=True, allow_tf32=False) if device.type == "cuda" else nullcontext()


def _fingerprint(module: nn.Module) -> str:
    """The same for the same architecture and weights, on any device."""
    # Layers without weights, such as a ReLU and a pooling, differ only in how they are printed.
    digest = hashlib.sha256(f"{type(module).__qualname__}:{module!r}".encode())
    for name, tensor in sorted(module.state_dict().items()):
        if not isinstance(tensor, Tensor):
            # What a module keeps beside its tensors, in get_extra_state.
            digest.update(f"{name}:{tensor!r}".encode())
            continue
        digest.update(f"{name}:{tensor.dtype}:{tuple(tensor.shape)}".encode())
        if tensor.is_quantized or tensor.layout != torch.strided:
            tensor = tensor.dequantize() if tensor.is_quantized else tensor.to_dense()
        # As bytes: numpy has no bfloat16.
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return f"torch:{digest.hexdigest()}"
