"""What a service that bills by tokens says that it served, and what that costs."""

import dataclasses
from dataclasses import dataclass
from math import inf
from typing import Annotated

from annotated_types import Ge, Lt

from db3kd.arguments import check_arguments

_MILLION = 1_000_000
Price = Annotated[float, Ge(0), Lt(inf)]


@dataclass(frozen=True)
class Bill:
    """What was served, by the service's own count. Bills add up.

    Args:
        answers: answers that came.
        uncounted: how many of these came without a count of tokens.
        input_tokens: tokens that went in.
        output_tokens: tokens that came out.
        off_list: answers that were no class of the list.
        refused: answers by which it declined.
        lost: calls whose answer did not come; the service may bill them, and nobody here knows for how many tokens.
    """

    answers: int = 0
    uncounted: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    off_list: int = 0
    refused: int = 0
    lost: int = 0

    def __add__(self, other: "Bill") -> "Bill":
        return Bill(*(mine + theirs for mine, theirs in zip(self.counts, other.counts, strict=True)))

    def __bool__(self) -> bool:
        return any(self.counts)

    @property
    def counts(self) -> tuple[int, ...]:
        """The figures in the order of the fields."""
        return dataclasses.astuple(self)

    def foretell(self, questions: int) -> "Bill | None":
        """Tell what so many more questions would come to, at the mean of these; None where no tokens were counted."""
        counted = self.answers - self.uncounted
        if counted <= 0:
            return None
        tokens = (round(total / counted * questions) for total in (self.input_tokens, self.output_tokens))
        return Bill(questions, 0, *tokens)


@dataclass(frozen=True)
class Prices:
    """What queries and tokens cost.

    Args:
        per_1000: money for 1,000 queries, or None.
        per_million_input: money for a million tokens that go in, or None.
        per_million_output: money for a million tokens that come out, or None.
        currency: currency of all of them.
    """

    per_1000: Price | None = None
    per_million_input: Price | None = None
    per_million_output: Price | None = None
    currency: str = "EUR"

    def __post_init__(self) -> None:
        check_arguments(type(self).__init__, vars(self))

    @property
    def of_tokens(self) -> bool:
        """Whether tokens have a price."""
        return self.per_million_input is not None or self.per_million_output is not None

    def money(self, queries: int, bill: Bill | None = None) -> float | None:
        """Tell what queries cost with the tokens that they took; None without a price, or where tokens are unknown."""
        if self.of_tokens and bill is None:
            return None
        tokens = None if bill is None else self.tokens(bill)
        calls = None if self.per_1000 is None else queries * self.per_1000 / 1000
        return None if tokens is calls is None else (tokens or 0.0) + (calls or 0.0)

    def tokens(self, bill: Bill) -> float | None:
        """Tell what the tokens alone cost; None without a price."""
        if not self.of_tokens:
            return None
        into, out = (self.per_million_input or 0.0), (self.per_million_output or 0.0)
        return (bill.input_tokens * into + bill.output_tokens * out) / _MILLION
