"""From scores to classes: the highest of each row is taken here, and the scores go no further.

For all adapters whose model gives scores. A score that is not a number would otherwise be learned as a class.
"""

from db3kd.errors import InvalidDecision
from db3kd.tensors import Float, Int, Tensor

_NAMED = 10


def highest(scores: Float[Tensor, "b k"], *, origin: str) -> Int[Tensor, " b"]:
    """Take the class with the highest score of each row, or raise an InvalidDecision that names the rows at fault."""
    wrong = (~scores.isfinite()).any(dim=1).nonzero()[:, 0].tolist()
    if wrong:
        named = ", ".join(map(str, wrong[:_NAMED])) + (f" and {len(wrong) - _NAMED} others" * (len(wrong) > _NAMED))
        raise InvalidDecision(
            f"expected finite scores from {origin}, got NaN or infinity in row{'s' * (len(wrong) > 1)} {named} of the "
            f"{len(scores)} of a call, counted from 0; the answer was dropped and stays charged: see to the value "
            "range that it expects (`db3kd check-teacher`), and run again to go on",
            rows=wrong,
        )
    return scores.argmax(dim=1)
