"""Any teacher as a label-only server of the Open Inference Protocol v2, with budgets and limits for its clients."""

from db3kd.serving.application import RequestLimits, make_application
from db3kd.serving.clients import Clients
from db3kd.serving.grants import Grant, read_grants
from db3kd.serving.memory import Memory

__all__ = ["Clients", "Grant", "Memory", "RequestLimits", "make_application", "read_grants"]
