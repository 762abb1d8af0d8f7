"""Networks to bytes and back, with a header that says which network the weights belong to.

How the bytes are laid out is for `db3kd.tensorfile`, and writing them to a file is for `db3kd.runs`.
"""

from collections.abc import Mapping
from pathlib import Path

from torch import nn

from db3kd.errors import ArtifactError
from db3kd.models import build
from db3kd.models.libraries import Fitted
from db3kd.tensorfile import pack, unpack

FORMAT = "db3kd-weights-1"


def describe(
    architecture: str,
    input_shape: tuple[int, int, int],
    num_classes: int,
    *,
    module: nn.Module | None = None,
) -> dict[str, str]:
    """Make the header of a file of weights, with what `build` takes; a caller may add entries of its own.

    Of a `module` it keeps besides what its name does not say, such as the configuration of a network of transformers.
    """
    configuration = module.configuration if isinstance(module, Fitted) else ""
    return {
        "architecture": architecture,
        "input_shape": "x".join(str(side) for side in input_shape),
        "num_classes": str(num_classes),
        **({"configuration": configuration} if configuration else {}),
    }


def build_again(header: Mapping[str, str]) -> nn.Module:
    """Build the network of a header, for weights that are loaded into it."""
    return build(
        header["architecture"],
        input_shape_of(header),
        int(header["num_classes"]),
        configuration=header.get("configuration", ""),
        bare=True,
    )


def input_shape_of(header: Mapping[str, str]) -> tuple[int, int, int]:
    """Read channels, height and width from a header, or raise an ArtifactError."""
    try:
        channels, height, width = (int(side) for side in header["input_shape"].split("x"))
    except (KeyError, ValueError) as error:
        raise ArtifactError(
            f"the header must hold input_shape as in 1x28x28, got {header.get('input_shape')!r}; nothing was loaded"
        ) from error
    return channels, height, width


def to_bytes(module: nn.Module, header: dict[str, str]) -> bytes:
    """Turn weights into a safetensors file: the same bytes on any device and in any memory layout."""
    return pack(module.state_dict(), header, kind=FORMAT)


def from_file(path: Path | str) -> tuple[nn.Module, dict[str, str]]:
    """Read a file that holds what `to_bytes` gave; see `from_bytes`."""
    try:
        raw = Path(path).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ArtifactError(f"the weights {str(path)!r} cannot be read: {reason}; name another file") from error
    return from_bytes(raw, str(path))


def from_bytes(raw: bytes, origin: str) -> tuple[nn.Module, dict[str, str]]:
    """Build a network in eval mode from what `to_bytes` gave, and give its header; `origin` is for the errors.

    Raises an ArtifactError where the file is damaged or not what its header says, and a PlanError where the
    architecture that it names cannot be built here.
    """
    tensors, header = unpack(
        raw, kind=FORMAT, origin=f"the file of weights {origin}", way_out="copy it again, or train the network again"
    )
    missing = [entry for entry in ("architecture", "input_shape", "num_classes") if entry not in header]
    if missing or not header["num_classes"].isdigit():
        raise ArtifactError(
            f"the file of weights {origin} must name architecture, input_shape and a number of classes in its header, "
            f"got {header}; nothing was loaded: train the network again"
        )
    module = build_again(header)
    try:
        module.load_state_dict(tensors)
    except RuntimeError as error:
        raise ArtifactError(
            f"the weights {origin} are not those of {header['architecture']!r} for images of {header['input_shape']} "
            f"({error}); nothing was loaded: name the file of another network, or train it again"
        ) from error
    return module.eval(), header
