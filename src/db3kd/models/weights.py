"""Networks to bytes and back, with a header that says which network the weights belong to.

How the bytes are laid out is the matter of `db3kd.tensorfile`. Writing the bytes to a file is the matter of
`db3kd.runs`. Called by the pipeline, by `db3kd train` and by the adapter for torch teachers.
"""

from pathlib import Path

from torch import nn

from db3kd.errors import ArtifactError
from db3kd.models import build
from db3kd.tensorfile import pack, unpack

FORMAT = "db3kd-weights-1"


def describe(
    architecture: str, input_shape: tuple[int, int, int], num_classes: int, *, dataset: str = ""
) -> dict[str, str]:
    """Make the header of a file of weights.

    Args:
        architecture: a name as `build` takes it.
        input_shape: channels, height and width of one image.
        num_classes: length of a row of logits.
        dataset: what the network was trained on, for the reader.

    Returns:
        The header; a caller may add entries of its own.
    """
    return {
        "architecture": architecture,
        "input_shape": "x".join(str(side) for side in input_shape),
        "num_classes": str(num_classes),
        "dataset": dataset,
    }


def input_shape_of(header: dict[str, str]) -> tuple[int, int, int]:
    """Read the shape of an image from a header.

    Args:
        header: as `describe` made it.

    Returns:
        Channels, height and width.

    Raises:
        ArtifactError: the header does not say it.
    """
    try:
        channels, height, width = (int(side) for side in header["input_shape"].split("x"))
    except (KeyError, ValueError) as error:
        raise ArtifactError(
            f"the header must hold input_shape as in 1x28x28, got {header.get('input_shape')!r}; nothing was loaded"
        ) from error
    return channels, height, width


def to_bytes(module: nn.Module, header: dict[str, str]) -> bytes:
    """Turn a network's weights into the bytes of a safetensors file.

    Args:
        module: the network; left as it is.
        header: as `describe` makes it; the format version and a digest of the weights are added.

    Returns:
        The same bytes for the same weights and header, on any device and in any memory layout.
    """
    return pack(module.state_dict(), header, kind=FORMAT)


def from_file(path: Path | str) -> tuple[nn.Module, dict[str, str]]:
    """Build a network from a file of weights.

    Args:
        path: a file that holds what `to_bytes` gave.

    Returns:
        The network on the CPU in eval mode, and the header.

    Raises:
        ArtifactError: the file is missing, truncated, edited, of another format, or its weights are of another
            network than the header says.
        PlanError: the architecture that the header names cannot be built here.
    """
    try:
        raw = Path(path).read_bytes()
    except OSError as error:
        raise ArtifactError(f"the weights {path} cannot be read: {error.strerror}; name another file") from error
    return from_bytes(raw, str(path))


def from_bytes(raw: bytes, origin: str) -> tuple[nn.Module, dict[str, str]]:
    """Build a network from the bytes of a file of weights.

    Args:
        raw: what `to_bytes` gave.
        origin: the file's name, for the error.

    Returns:
        The network on the CPU in eval mode, and the header.

    Raises:
        ArtifactError: truncated, edited, of another format, or the weights are of another network than the header says.
        PlanError: the architecture that the header names cannot be built here.
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
    module = build(header["architecture"], input_shape_of(header), int(header["num_classes"]))
    try:
        module.load_state_dict(tensors)
    except RuntimeError as error:
        raise ArtifactError(
            f"the weights {origin} are not those of {header['architecture']!r} for images of {header['input_shape']} "
            f"({error}); nothing was loaded: name the file of another network, or train it again"
        ) from error
    return module.eval(), header
