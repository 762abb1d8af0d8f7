"""The rules that conftest.py lays on every test: shapes are checked, and nothing leaves this machine."""

import os
import socket

import pytest
from jaxtyping import TypeCheckError

from db3kd.teachers.protocol import TeacherSpec


@pytest.mark.skipif(not os.environ.get("SHAPES"), reason="shapes are checked with SHAPES=1")
def test_types_and_shapes_are_checked_as_the_code_runs() -> None:
    with pytest.raises(TypeCheckError):
        TeacherSpec(input_shape=(28, 28), num_classes=10)  # type: ignore[arg-type]  # what must be refused


def test_another_machine_is_out_of_reach() -> None:
    with socket.socket() as connection, pytest.raises(AssertionError, match="only loopback"):
        connection.connect(("192.0.2.1", 80))  # an address set aside for documentation


def test_loopback_is_in_reach() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as connection:
        connection.connect(server.getsockname())
        assert connection.getpeername() == server.getsockname()
