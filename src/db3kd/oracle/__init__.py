"""The only room that calls a teacher: it charges, sends, waits and tries again; adapters say what became of a call."""

from db3kd.oracle.oracle import FIRST_ENDS, Oracle, sizes_of_calls
from db3kd.oracle.sending import Usage

__all__ = ["FIRST_ENDS", "Oracle", "Usage", "sizes_of_calls"]
