"""What all sections of the plan share: nothing unknown in them, nothing changed later, the numbers that keys may be."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(gt=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=0)]


class Section(BaseModel):
    """A section of the plan: nothing unknown, nothing changed later."""

    model_config = ConfigDict(frozen=True, extra="forbid")
