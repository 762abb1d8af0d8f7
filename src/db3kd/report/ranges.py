"""The numbers that figures of a report may be."""

from typing import Annotated

from pydantic import Field

Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
Distance = Annotated[float, Field(ge=0)]
