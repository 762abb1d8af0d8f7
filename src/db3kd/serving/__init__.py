"""Any teacher as a label-only server of the Open Inference Protocol v2, with budgets and limits for its clients."""

from db3kd.serving.application import Limits, make_application
from db3kd.serving.clients import Clients, Grant

__all__ = ["Clients", "Grant", "Limits", "make_application"]
