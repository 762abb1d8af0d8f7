"""The paper's networks, one for larger pictures, those of other libraries, and any other by the name of its factory.

`build` turns an architecture's name into a network with seeded weights; `libraries` knows timm, torchvision and
transformers; `placement` puts networks and images where they compute fastest; `weights` turns a network into bytes and
back.
"""

import copy
from collections.abc import Callable, Mapping
from typing import Annotated, cast

import torch
from annotated_types import Lt
from torch import nn

from db3kd.arguments import check_arguments
from db3kd.errors import Db3kdError, PlanError
from db3kd.models import libraries
from db3kd.models.logits import check_logits
from db3kd.models.networks import AlexNet, LeNet5
from db3kd.models.residual import Residual
from db3kd.names import find

__all__ = ["ARCHITECTURES", "AlexNet", "LeNet5", "Residual", "build", "parameter_count"]

ARCHITECTURES: Mapping[str, str] = {
    "lenet5": "db3kd.models.networks:LeNet5",
    "lenet5-half": "db3kd.models.networks:lenet5_half",
    "lenet5-fifth": "db3kd.models.networks:lenet5_fifth",
    "residual": "db3kd.models.residual:Residual",
    "residual-half": "db3kd.models.residual:residual_half",
    "alexnet": "db3kd.models.networks:AlexNet",
    "alexnet-half": "db3kd.models.networks:alexnet_half",
    "alexnet-quarter": "db3kd.models.networks:alexnet_quarter",
}


def build(
    architecture: str,
    input_shape: tuple[int, int, int],
    num_classes: Annotated[int, Lt(2**31)],
    *,
    seed: Annotated[int, Lt(2**63)] = 0,
    configuration: str = "",
    bare: bool = False,
) -> nn.Module:
    """Build a network on the CPU, with weights drawn from the seed; the global generator is left as it was.

    Args:
        architecture: one of `ARCHITECTURES`; "timm:NAME", "torchvision:NAME" or "hf:NAME" with options behind a
            question mark; or "package.module:factory", which is imported and called with `input_shape=` and
            `num_classes=` and must return an `nn.Module` that maps images to logits.
        input_shape: channels, height and width of one image.
        num_classes: length of a row of logits, at least 2.
        seed: of the initial weights.
        configuration: of a network of transformers that was built before, as its file of weights keeps it.
        bare: leave out published weights, since others are loaded afterwards.

    Returns:
        The network, in training mode.

    Raises:
        PlanError: the name is unknown, the image is too small for the network, or the factory or its network fails or
            gives what is none.
        InputError: the network's library is not installed.
    """
    check_arguments(build, locals())
    if min(input_shape) < 1 or num_classes < 2:
        raise PlanError(
            "a network needs an input_shape of three positive numbers (c, h, w) and at least 2 classes, "
            f"got {input_shape} and {num_classes}; no network was built"
        )
    wanted = libraries.parse(architecture, input_shape, num_classes)
    factory = None if wanted is not None else find(ARCHITECTURES, architecture)
    # fork_rng without devices: the weights are drawn on the CPU, whatever device they will live on.
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(int(seed))
        if wanted is not None:
            return libraries.build(wanted, configuration=configuration, bare=bare)
        assert factory is not None, "found above"
        if architecture in ARCHITECTURES:
            return cast("nn.Module", factory(input_shape=input_shape, num_classes=num_classes))
        return _made_by(factory, architecture, input_shape, num_classes, bare=bare)


def _made_by(
    factory: Callable[..., object], name: str, input_shape: tuple[int, int, int], num_classes: int, *, bare: bool
) -> nn.Module:
    """Make a network by somebody's factory, and see that it takes such images, unless weights are loaded into it."""
    try:
        module = factory(input_shape=input_shape, num_classes=num_classes)
        if isinstance(module, nn.Module) and not bare:
            # A copy: a pass must leave nothing in the network.
            check_logits(copy.deepcopy(module).eval(), name, input_shape, num_classes)
    except Db3kdError:
        raise
    except Exception as error:  # it is anybody's code
        raise PlanError(
            f"{name!r} failed for images of {input_shape} and {num_classes} classes ({type(error).__name__}: {error}); "
            "no network was built: it is called with input_shape= and num_classes=, and its network with images in "
            "[0, 1]"
        ) from error
    if not isinstance(module, nn.Module):
        raise PlanError(
            f"the factory {name!r} must return an nn.Module, got {type(module).__name__}; "
            "it is called with input_shape= and num_classes="
        )
    return module


def parameter_count(module: nn.Module) -> int:
    """Count the numbers that training changes: the elements of all parameters, without buffers."""
    check_arguments(parameter_count, locals())
    return sum(parameter.numel() for parameter in module.parameters())
