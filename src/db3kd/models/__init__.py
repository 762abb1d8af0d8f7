"""The paper's teachers and students, and any other network by the name of its factory.

`build` turns an architecture's name into a network with seeded weights; `placement` puts networks and images where they
compute fastest; `weights` turns a network into bytes and back. Training lives in `db3kd.training`. Called by the
pipeline, by the adapter for torch teachers and by `training` and `evaluation`.
"""

import importlib
from collections.abc import Callable

import torch
from torch import nn

from db3kd.errors import PlanError
from db3kd.models.alexnet import AlexNet
from db3kd.models.lenet import LeNet5

__all__ = ["ARCHITECTURES", "AlexNet", "LeNet5", "build", "parameter_count"]

ARCHITECTURES = ("lenet5", "lenet5-half", "lenet5-fifth", "alexnet", "alexnet-half", "alexnet-quarter")


def build(architecture: str, input_shape: tuple[int, int, int], num_classes: int, *, seed: int = 0) -> nn.Module:
    """Build a network on the CPU, with weights drawn from the seed; the global generator is left as it was.

    Args:
        architecture: one of `ARCHITECTURES`, or "package.module:factory", which is imported and called with
            `input_shape=` and `num_classes=` and must return an `nn.Module` that maps images to logits.
        input_shape: channels, height and width of one image.
        num_classes: length of a row of logits, at least 2.
        seed: of the initial weights.

    Returns:
        The network, in training mode.

    Raises:
        PlanError: the name is unknown, the image is too small for the network, or the factory cannot be used.
    """
    if len(input_shape) != 3 or min(input_shape) < 1 or num_classes < 2:
        raise PlanError(
            "a network needs an input_shape of three positive numbers (c, h, w) and at least 2 classes, "
            f"got {input_shape} and {num_classes}; no network was built"
        )
    # fork_rng without devices: the weights are drawn on the CPU, whatever device they will live on.
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        match architecture:
            case "lenet5":
                return LeNet5(input_shape, num_classes)
            case "lenet5-half":
                return LeNet5(input_shape, num_classes, widths=(10, 25, 100))
            case "lenet5-fifth":
                return LeNet5(input_shape, num_classes, widths=(4, 10, 40))
            case "alexnet":
                return AlexNet(input_shape, num_classes)
            case "alexnet-half":
                return AlexNet(input_shape, num_classes, divisor=2)
            case "alexnet-quarter":
                return AlexNet(input_shape, num_classes, divisor=4)
        return _from_factory(architecture, input_shape, num_classes)


def parameter_count(module: nn.Module) -> int:
    """Count the numbers that training changes.

    Args:
        module: any network.

    Returns:
        The elements of all its parameters, buffers excluded.
    """
    return sum(parameter.numel() for parameter in module.parameters())


def _from_factory(architecture: str, input_shape: tuple[int, int, int], num_classes: int) -> nn.Module:
    module = _find_factory(architecture)(input_shape=input_shape, num_classes=num_classes)
    if not isinstance(module, nn.Module):
        raise PlanError(
            f"the factory {architecture!r} must return an nn.Module, got {type(module).__name__}; "
            "it is called with input_shape= and num_classes="
        )
    return module


def _find_factory(architecture: str) -> Callable[..., object]:
    expected = f"expected one of {', '.join(ARCHITECTURES)}, or package.module:factory"
    module_name, colon, factory_name = architecture.partition(":")
    if not (module_name and colon and factory_name):
        raise PlanError(f"the architecture {architecture!r} is unknown: {expected}")
    try:
        factory = getattr(importlib.import_module(module_name), factory_name)
    except ImportError as error:
        raise PlanError(
            f"the architecture {architecture!r} cannot be imported ({error}): {expected}; "
            "install the package or put its folder on PYTHONPATH"
        ) from error
    except AttributeError as error:
        raise PlanError(f"the module {module_name!r} has no {factory_name!r}: {expected}") from error
    if not callable(factory):
        raise PlanError(f"{architecture!r} is {type(factory).__name__}, which cannot be called: {expected}")
    return factory  # type: ignore[no-any-return]  # what an imported name holds is known at run time only
