"""What goes between this process and a rival's: arrays, each behind the number of its bytes; no bytes end it."""

import struct
from typing import IO

import numpy as np

from db3kd.tensors import Float, Int

_LENGTH = struct.Struct("<q")


def send(stream: IO[bytes], array: Float[np.ndarray, "..."] | Int[np.ndarray, "..."]) -> None:
    """Send an array, of which the other side knows type and shape."""
    stream.write(_LENGTH.pack(array.nbytes) + array.tobytes())
    stream.flush()


def receive(stream: IO[bytes]) -> bytes:
    """Receive an array's bytes; none where nothing more was sent, or the other side has ended."""
    head = stream.read(_LENGTH.size)
    return stream.read(_LENGTH.unpack(head)[0]) if len(head) == _LENGTH.size else b""
