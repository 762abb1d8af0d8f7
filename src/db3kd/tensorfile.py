"""Named tensors with a header, as the bytes of a safetensors file; the same content gives the same bytes.

What the names mean is the caller's business: weights, answers, distances, training states. Files are written by
`db3kd.runs`.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence

import safetensors.torch
import torch
from safetensors import SafetensorError

from db3kd.errors import ArtifactError
from db3kd.tensors import Tensor, UInt8


def pack(tensors: Mapping[str, Tensor], header: Mapping[str, str], *, kind: str) -> bytes:
    """Turn tensors on any device into a safetensors file; kind (such as "db3kd-weights-1") and digest are added."""
    plain = {name: value.detach().cpu().clone(memory_format=torch.contiguous_format) for name, value in tensors.items()}
    contents, values = _split(safetensors.torch.save(plain))
    # The library writes a header of several entries in an order that changes from process to process.
    about = {**header, "format": kind}
    about["sha256"] = _digest(about, contents, values)
    head = json.dumps({"__metadata__": dict(sorted(about.items())), **contents}, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)
    return len(head).to_bytes(8, "little") + head + values


def unpack(data: bytes, *, kind: str, origin: str, way_out: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read tensors and header of what `pack` wrote.

    Raises an ArtifactError where the bytes are truncated, edited or of another kind; it names the file (`origin`) and
    what the user can do (`way_out`).
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


def text_of(lines: Sequence[str]) -> UInt8[Tensor, " bytes"]:
    """Turn many short texts, none with a line break, into a tensor: a header would be too small for them."""
    joined = "\n".join(lines).encode()
    return torch.frombuffer(bytearray(joined), dtype=torch.uint8) if joined else torch.zeros(0, dtype=torch.uint8)


def lines_of(text: UInt8[Tensor, " bytes"]) -> tuple[str, ...]:
    """Read what `text_of` wrote."""
    return tuple(text.numpy().tobytes().decode().split("\n")) if len(text) else ()
