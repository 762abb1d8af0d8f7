"""Named tensors with a header, as the bytes of a safetensors file; the same content gives the same bytes.

What the names mean is the caller's business: weights, transfer sets, shards, training states. Files are written by
`db3kd.runs`.
"""

import hashlib
import json
from collections.abc import Mapping

import safetensors.torch
import torch
from safetensors import SafetensorError

from db3kd.errors import ArtifactError
from db3kd.tensors import Tensor


def pack(tensors: Mapping[str, Tensor], header: Mapping[str, str], *, kind: str) -> bytes:
    """Turn tensors into bytes.

    Args:
        tensors: on any device, in any memory layout.
        header: what a reader should know of them.
        kind: what the file is and in which format version, such as "db3kd-weights-1".

    Returns:
        A safetensors file; kind and digest are added to its header.
    """
    plain = {name: value.detach().cpu().clone(memory_format=torch.contiguous_format) for name, value in tensors.items()}
    contents, values = _split(safetensors.torch.save(plain))
    # The library writes a header of several entries in an order that changes from process to process.
    about = {**header, "format": kind}
    about["sha256"] = _digest(about, contents, values)
    head = json.dumps({"__metadata__": dict(sorted(about.items())), **contents}, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)
    return len(head).to_bytes(8, "little") + head + values


def unpack(data: bytes, *, kind: str, origin: str, way_out: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read what `pack` wrote.

    Args:
        data: the bytes.
        kind: what they must be.
        origin: the name of the file, for the error.
        way_out: what the user can do when it cannot be read, for the error.

    Returns:
        The tensors on the CPU, and the header without the digest.

    Raises:
        ArtifactError: truncated, edited, of another kind or version.
    """
    try:
        tensors = safetensors.torch.load(data)
    except SafetensorError as error:
        raise ArtifactError(
            f"{origin} must be a safetensors file; it is truncated or something else ({error}); nothing was read: "
            f"{way_out}"
        ) from error
    contents, values = _split(data)
    header = contents.pop("__metadata__", {})
    if header.get("format") != kind:
        raise ArtifactError(
            f"{origin} must have the format {kind!r} in its header, got {header.get('format')!r}; nothing was "
            f"read: {way_out}"
        )
    if header.pop("sha256", None) != _digest(header, contents, values):
        raise ArtifactError(
            f"{origin} was edited: its sha256 is not the one in its header; nothing was read: {way_out}"
        )
    return tensors, header


def _split(data: bytes) -> tuple[dict[str, dict[str, str]], bytes]:
    # A safetensors file: the header's length in 8 bytes, the header in JSON, then the values.
    end = 8 + int.from_bytes(data[:8], "little")
    return json.loads(data[8:end]), data[end:]


def _digest(header: Mapping[str, str], contents: Mapping[str, object], values: bytes) -> str:
    names = json.dumps([header, contents], sort_keys=True).encode()
    return hashlib.sha256(hashlib.sha256(names).digest() + hashlib.sha256(values).digest()).hexdigest()
