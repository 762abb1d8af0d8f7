"""Teachers whose boundaries are known in closed form, and teachers that misbehave.

Every search and every adapter is run against all of them.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch

from db3kd.errors import MaybeServed, NotServed
from db3kd.teachers import Service, Teacher, TeacherSpec
from db3kd.tensors import Float, Int, Tensor

WIDE = (-100.0, 100.0)


def _spec(shape: tuple[int, int, int], classes: int, bounds: tuple[float, float], name: str) -> TeacherSpec:
    return TeacherSpec(shape, classes, bounds, max_batch=128, fingerprint=name)


@dataclass
class HalfSpace:
    """Class 1 where the pixels' projection on a normal exceeds an offset, else class 0."""

    shape: tuple[int, int, int] = (1, 8, 8)
    offset: float = 1.0
    bounds: tuple[float, float] = WIDE
    seed: int = 0

    def __post_init__(self) -> None:
        self.spec = _spec(self.shape, 2, self.bounds, f"half-space:{self.seed}:{self.offset}")
        normal = torch.randn(self.shape, generator=torch.Generator().manual_seed(self.seed)).flatten()
        self.normal: Tensor = normal / torch.linalg.vector_norm(normal)

    def __call__(self, images: Float[Tensor, "b c h w"]) -> Int[Tensor, " b"]:
        return ((images.flatten(1) * self.normal).sum(1) > self.offset).long()

    def distances(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        """The true distance of each image to the boundary."""
        return torch.abs((images.flatten(1) * self.normal).sum(1) - self.offset)

    def on_the_way(self, images: Float[Tensor, "n c h w"], ends: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        """The true distance of each image to the boundary on the line to a point on the other side."""
        start, end = ((points.flatten(1) * self.normal).sum(1) - self.offset for points in (images, ends))
        lengths: Tensor = torch.linalg.vector_norm((ends - images).flatten(1), dim=1)
        return start / (start - end) * lengths


@dataclass
class Ball:
    """Class 1 outside a ball around the origin, else class 0."""

    shape: tuple[int, int, int] = (1, 8, 8)
    radius: float = 3.0
    bounds: tuple[float, float] = WIDE

    def __post_init__(self) -> None:
        self.spec = _spec(self.shape, 2, self.bounds, f"ball:{self.radius}")

    def __call__(self, images: Float[Tensor, "b c h w"]) -> Int[Tensor, " b"]:
        return ((images.flatten(1) ** 2).sum(1).sqrt() > self.radius).long()

    def distances(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        """The true distance of each image to the boundary."""
        return torch.abs(torch.linalg.vector_norm(images.flatten(1), dim=1) - self.radius)

    def on_the_way(self, images: Float[Tensor, "n c h w"], ends: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        """The true distance of each image to the boundary on the line to a point on the other side."""
        start, end = images.flatten(1).double(), ends.flatten(1).double()
        length = torch.linalg.vector_norm(end - start, dim=1)
        way = (end - start) / length[:, None]
        # |start + t way| = radius; between a point inside and one outside there is one such t from 0 to the length.
        half, rest = (start * way).sum(1), (start**2).sum(1) - self.radius**2
        root = (half**2 - rest).sqrt()
        return torch.where(rest < 0, root - half, -root - half).float()


@dataclass
class Sectors:
    """Several classes: the largest of a few random linear scores, whose pairwise boundaries are known."""

    shape: tuple[int, int, int] = (1, 8, 8)
    classes: int = 5
    bounds: tuple[float, float] = (0.0, 1.0)
    levels: int | None = None

    def __post_init__(self) -> None:
        self.spec = TeacherSpec(self.shape, self.classes, self.bounds, 128, f"sectors:{self.classes}", self.levels)
        count = self.shape[0] * self.shape[1] * self.shape[2]
        self.weights = torch.randn(self.classes, count, generator=torch.Generator().manual_seed(3))

    def __call__(self, images: Float[Tensor, "b c h w"]) -> Int[Tensor, " b"]:
        # Summed row by row, so that an answer does not depend on the batch.
        centred = images.flatten(1) - 0.5
        return torch.stack([(centred * weight).sum(1) for weight in self.weights], dim=1).argmax(1)


@dataclass
class Constant:
    """One class for everything: there is no boundary."""

    shape: tuple[int, int, int] = (1, 8, 8)
    classes: int = 3

    def __post_init__(self) -> None:
        self.spec = _spec(self.shape, self.classes, (0.0, 1.0), "constant")

    def __call__(self, images: Float[Tensor, "b c h w"]) -> Int[Tensor, " b"]:
        return torch.zeros(len(images), dtype=torch.int64)


@dataclass
class Liar:
    """Another answer each time: random classes."""

    shape: tuple[int, int, int] = (1, 8, 8)
    classes: int = 3

    def __post_init__(self) -> None:
        self.spec = _spec(self.shape, self.classes, (0.0, 1.0), "liar")
        self._generator = torch.Generator().manual_seed(0)

    def __call__(self, images: Float[Tensor, "b c h w"]) -> Int[Tensor, " b"]:
        return torch.randint(self.classes, (len(images),), generator=self._generator)


@dataclass
class Fickle:
    """Gives another class than the right one for a share of its answers, drawn anew each time."""

    teacher: Teacher
    share: float

    def __post_init__(self) -> None:
        self.spec = self.teacher.spec
        self._generator = torch.Generator().manual_seed(1)

    def __call__(self, images: Float[Tensor, "b c h w"]) -> Int[Tensor, " b"]:
        flipped = torch.rand(len(images), generator=self._generator) < self.share
        return (self.teacher(images) + flipped) % self.spec.num_classes


@dataclass
class Flaky:
    """Fails at the calls of the given numbers, as if the answer had been lost or never sent."""

    teacher: Teacher
    maybe_served: frozenset[int] = frozenset()
    not_served: frozenset[int] = frozenset()
    calls: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.spec = self.teacher.spec

    def __call__(self, images: Float[Tensor, "b c h w"]) -> Int[Tensor, " b"]:
        self.calls += 1
        if self.calls in self.maybe_served:
            raise MaybeServed(f"call {self.calls} timed out")
        if self.calls in self.not_served:
            raise NotServed(f"call {self.calls} was refused")
        return self.teacher(images)


@dataclass
class Slow:
    """Takes its time."""

    teacher: Teacher
    seconds: float = 0.01

    def __post_init__(self) -> None:
        self.spec = self.teacher.spec

    def __call__(self, images: Float[Tensor, "b c h w"]) -> Int[Tensor, " b"]:
        time.sleep(self.seconds)
        return self.teacher(images)


@dataclass
class Counting:
    """Counts the rows and calls that really reach a teacher, and keeps the extremes of what was sent."""

    teacher: Teacher
    rows: int = field(default=0, init=False)
    calls: int = field(default=0, init=False)
    lowest: float = field(default=float("inf"), init=False)
    highest: float = field(default=float("-inf"), init=False)

    def __post_init__(self) -> None:
        self.spec = self.teacher.spec

    def __call__(self, images: Float[Tensor, "b c h w"]) -> Int[Tensor, " b"]:
        self.rows += len(images)
        self.calls += 1
        self.lowest = min(self.lowest, float(images.min()))
        self.highest = max(self.highest, float(images.max()))
        return self.teacher(images)


@dataclass
class Failing:
    """Raises an error at one call, before it decides anything."""

    teacher: Teacher
    call: int
    error: Callable[[], BaseException]
    calls: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.spec = self.teacher.spec

    def __call__(self, images: Float[Tensor, "b c h w"]) -> Int[Tensor, " b"]:
        self.calls += 1
        if self.calls == self.call:
            raise self.error()
        return self.teacher(images)


@dataclass
class FailsBeside:
    """Takes as many calls at once as it has places, and only then fails at the one about a certain image, once."""

    teacher: Teacher
    image: Float[Tensor, "c h w"]
    places: int
    calls: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.spec = replace(self.teacher.spec, service=Service(in_flight=self.places))
        self._all_there, self._lock = threading.Barrier(self.places, timeout=60), threading.Lock()

    def __call__(self, images: Float[Tensor, "b c h w"]) -> Int[Tensor, " b"]:
        with self._lock:
            self.calls += 1
            among_them = self.calls <= self.places
        if among_them:
            self._all_there.wait()
            if bool((images == self.image).flatten(1).all(dim=1).any()):
                raise ValueError("a broken image")
        return self.teacher(images)


def draw_images(teacher: Teacher, count: int, *, seed: int = 0) -> Float[Tensor, "n c h w"]:
    """Images within the teacher's bounds and on its levels: uniform in a unit range, Gaussian in a wide one."""
    generator = torch.Generator().manual_seed(seed)
    shape = (count, *teacher.spec.input_shape)
    if teacher.spec.bounds == (0.0, 1.0):
        return teacher.spec.admit(torch.rand(shape, generator=generator))
    return torch.randn(shape, generator=generator)
