"""What a teacher is: something that maps images to classes and says nothing else.

Only `db3kd.oracle` calls a teacher, since a call costs money.
"""

from dataclasses import field
from typing import Annotated, Protocol, runtime_checkable

from annotated_types import Ge, Gt

from db3kd.arguments import Positive, checked_options
from db3kd.errors import PlanError
from db3kd.teachers.meter import Meter
from db3kd.tensors import Float, Int, Tensor


@checked_options
class Service:
    """How a teacher wants to be asked where it is somebody's service; the oracle keeps to it.

    Args:
        in_flight: most calls that are under way at once.
        rows_per_second: most rows to send in a second, on average, or None for no limit.
        patience: seconds to go on asking where it surely did not serve the rows: it is restarting, or says that it
            was asked too often.
        seconds_of_a_call: where a batch takes less, so many batches go in one call that it takes about so long; 0 for
            one batch a call.
    """

    in_flight: Positive = 1
    rows_per_second: Annotated[float, Gt(0)] | None = None
    patience: Annotated[float, Ge(0)] = 0.0
    seconds_of_a_call: Annotated[float, Ge(0)] = 0.0


@checked_options
class TeacherSpec:
    """What must be known of a teacher before it is asked.

    Args:
        input_shape: channels, height and width of one image.
        num_classes: a decision is an integer from 0 to num_classes - 1.
        bounds: lowest and highest pixel value that the teacher takes, in input units.
        max_batch: most rows that one call may hold; several times as many where `service` has several batches in one.
        fingerprint: the same for the same weights or function, another one for another teacher.
        levels: number of values a pixel may take between the bounds (256 for 8-bit images), or None for a continuum.
        service: how it wants to be asked.
        abstains: whether it may decline to decide, which it says by the number `num_classes`.
        class_names: what the classes are called, in the order of their numbers; empty where nobody says.
        meter: what the service of this very teacher bills, where it bills by tokens; None for all others.
    """

    input_shape: tuple[int, int, int]
    num_classes: int
    bounds: tuple[float, float] = (0.0, 1.0)
    max_batch: int = 96
    fingerprint: str = ""
    levels: int | None = None
    service: Service = field(default=Service())
    abstains: bool = False
    class_names: tuple[str, ...] = ()
    meter: Meter | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        faults = []
        if min(self.input_shape) < 1:
            faults.append(f"input_shape must be three positive numbers (c, h, w), got {self.input_shape}")
        if self.num_classes < 2:
            faults.append(f"num_classes must be at least 2, got {self.num_classes}")
        if not self.bounds[0] < self.bounds[1]:
            faults.append(f"bounds must be (low, high) with low < high, got {self.bounds}")
        if self.max_batch < 1:
            faults.append(f"max_batch must be at least 1, got {self.max_batch}")
        if self.levels is not None and self.levels < 2:
            faults.append(f"levels must be at least 2 or None, got {self.levels}")
        if len(self.class_names) not in (0, self.num_classes):
            faults.append(f"class_names must be {self.num_classes} names or none, got {len(self.class_names)}")
        if any(len(name.splitlines()) != 1 for name in self.class_names):
            faults.append("each class name must be one line of text")
        if faults:
            raise PlanError("a teacher cannot be described so: " + "; ".join(faults))

    def admit(self, points: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Bring points into the bounds and onto the levels, as searches do before they send *and* measure them."""
        low, high = self.bounds
        points = points.clamp(low, high)
        if self.levels is None:
            return points
        return ((points - low) / self.level_step).round() * self.level_step + low

    @property
    def level_step(self) -> float:
        """The least difference between two pixel values that the teacher can see, in input units; 0 for a continuum."""
        low, high = self.bounds
        return 0.0 if self.levels is None else (high - low) / (self.levels - 1)


@runtime_checkable
class Teacher(Protocol):
    """Gives a decision and nothing else: the threat model, as a type.

    A teacher raises `MaybeServed` or `NotServed` where an answer did not come.
    """

    @property
    def spec(self) -> TeacherSpec:
        """What must be known before it is asked."""

    def __call__(self, images: Float[Tensor, "b c h w"]) -> Int[Tensor, " b"]:
        """Decide.

        Args:
            images: within `spec.bounds`, at most `spec.max_batch` of them.

        Returns:
            A class from 0 to num_classes - 1 for each image; num_classes where it declines, if `spec.abstains`.
        """


def spec_of(teacher: Teacher) -> TeacherSpec:
    """Give what a teacher says of itself, or raise a PlanError where that is no `TeacherSpec`."""
    if not isinstance(teacher.spec, TeacherSpec):
        raise PlanError(
            f"a teacher describes itself by a TeacherSpec, and the spec of {type(teacher).__name__} is a "
            f"{type(teacher.spec).__name__}; nothing was asked: give it one"
        )
    return teacher.spec
