"""Where the geometry is known, each push takes the image a step further from the boundary."""

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
import torch

from db3kd.boundary import BoundaryDistance, ExemplarPool, GuidedDistance, Method, MinimalBoundaryDistance
from db3kd.errors import PlanError
from db3kd.pools import Repelled, Repulsion, repel
from db3kd.teachers import Teacher, TeacherSpec
from db3kd.tensors import Float, Int, Tensor
from known_teachers import Ball, Counting, HalfSpace, Sectors, draw_images
from questions import Stack

MBD = MinimalBoundaryDistance(BoundaryDistance(1), directions=20)
SEARCHES: dict[str, tuple[Method, int]] = {
    "bd": (BoundaryDistance(3), 60),
    "mbd": (MBD, 40),
    "guided": (GuidedDistance(directions=10), 30),
}


@dataclass
class Slab:
    """Class 1 where the first pixel lies between 0 and a width, else class 0."""

    width: float

    def __post_init__(self) -> None:
        self.spec = TeacherSpec((1, 2, 2), 2, (-10.0, 10.0), fingerprint=f"slab:{self.width}")

    def __call__(self, images: Float[Tensor, "b c h w"]) -> Int[Tensor, " b"]:
        first = images[:, 0, 0, 0]
        return ((first > 0) & (first < self.width)).long()


def _repel(
    teacher: Teacher,
    images: Float[Tensor, "n c h w"],
    others: Float[Tensor, "p c h w"],
    how: Repulsion,
    *,
    first: int = 0,
) -> Repelled:
    pool = ExemplarPool(Stack(others), teacher(others), num_classes=teacher.spec.num_classes)
    ids = [f"image/{first + number}" for number in range(len(images))]
    return repel(teacher, images, ids, teacher(images), pool, how)


def _how(method: Method, queries: int, *, steps: int = 2, keep: Sequence[int] = (1, 2), halvings: int = 5) -> Repulsion:
    return Repulsion(method, queries, steps, tuple(keep), halvings=halvings)


def test_away_from_a_half_space_every_push_adds_its_step_to_the_distance() -> None:
    teacher = HalfSpace()
    images = draw_images(teacher, 5)
    images = images[teacher(images) == 0]
    # Exemplars straight across: the way there is the way to the nearest boundary.
    others = images + 2 * teacher.distances(images)[:, None, None, None] * teacher.normal.view(1, 1, 8, 8) * 1.5
    assert (teacher(others) == 1).all()
    found = [
        _repel(teacher, image[None], other[None], _how(BoundaryDistance(1), 60, steps=4, keep=range(1, 5)), first=row)
        for row, (image, other) in enumerate(zip(images, others, strict=True))
    ]
    for image, one in zip(images, found, strict=True):
        start = teacher.distances(image[None])
        after = torch.cat([teacher.distances(kept) for kept in one.images])
        assert torch.allclose(after, start + 0.5 * torch.arange(1, 5), atol=2e-3)
        # What was found before each push is the distance there.
        assert torch.allclose(one.distances[:, 0], torch.cat([start, after[:-1]]), rtol=2e-3)
        assert torch.allclose(one.pushes, torch.full((4, 1), 0.5), atol=1e-4)


@pytest.mark.parametrize("name", ["mbd", "guided"])
def test_the_searches_find_the_way_off_a_half_space_by_asking(name: str) -> None:
    teacher = HalfSpace(shape=(1, 3, 3))
    images, others = draw_images(teacher, 8), draw_images(teacher, 40, seed=1)
    method, _ = SEARCHES[name]
    found = _repel(teacher, images, others, _how(method, 120, steps=2))
    after = torch.stack([teacher.distances(images), *(teacher.distances(kept) for kept in found.images)])
    growth = after[1:] - after[:-1]
    assert (growth.mean(dim=1) > 0.4).all()
    assert growth.max() <= 0.5 + 1e-4
    assert (found.distances >= after[:-1] - 1e-3).all()


def test_inside_a_ball_the_images_go_to_its_centre_and_no_further() -> None:
    teacher = Ball(shape=(1, 3, 3), radius=3.0)
    images = draw_images(teacher, 30)
    images = images[teacher(images) == 0][:3]
    others = 4 * torch.nn.functional.normalize(draw_images(teacher, 30, seed=1).flatten(1)).view(-1, 1, 3, 3)
    found = _repel(teacher, images, others, _how(MBD, 150, steps=6, keep=(6,)))
    assert (teacher.distances(found.images[0]) > 2.2).all()
    assert (teacher.distances(images) < 2.2).all()


def test_a_push_that_would_change_the_class_is_halved_and_the_image_stays_at_last() -> None:
    image, other = torch.tensor([0.2, 0.0, 0.0, 0.0]).view(1, 1, 2, 2), torch.tensor([-1.0, 0, 0, 0]).view(1, 1, 2, 2)
    found = _repel(Slab(0.6), image, other, _how(BoundaryDistance(1), 60, steps=1, keep=(1,)))
    assert found.images[0, 0, 0, 0, 0].item() == pytest.approx(0.45, abs=1e-3)
    seen = Counting(Slab(0.6))
    stays = _repel(seen, image, other, _how(BoundaryDistance(1), 60, steps=1, keep=(1,), halvings=0))
    assert torch.equal(stays.images[0], image)
    assert stays.pushes.tolist() == [[0.0]]
    # The decisions of the image and of the exemplar are asked by the test itself.
    assert int(stays.queries) == seen.rows - 2


def test_where_no_other_class_is_known_nothing_is_asked_and_nothing_moves() -> None:
    teacher = Counting(HalfSpace(offset=50.0))
    images = draw_images(teacher, 3)
    found = _repel(teacher, images, images, _how(*SEARCHES["guided"]))
    assert torch.equal(found.images, images.expand(2, *images.shape))
    assert found.distances.isinf().all()
    assert int(found.queries.sum()) == 0
    assert teacher.rows == 2 * len(images)


@pytest.mark.parametrize("levels", [None, 256])
@pytest.mark.parametrize("name", SEARCHES)
def test_images_keep_their_class_their_bounds_and_levels_and_cost_what_the_teacher_saw(
    name: str, levels: int | None
) -> None:
    teacher = Sectors(levels=levels)
    images, others = draw_images(teacher, 8), draw_images(teacher, 30, seed=1)
    seen = Counting(teacher)
    how = _how(*SEARCHES[name])
    found = _repel(seen, images, others, how)
    assert int(found.queries.max()) <= how.most_queries
    assert int(found.queries.sum()) == seen.rows - len(images) - len(others)
    for kept in found.images:
        assert torch.equal(teacher(kept), teacher(images))
        assert torch.equal(teacher.spec.admit(kept), kept)
    assert seen.lowest >= 0
    assert seen.highest <= 1
    assert (found.pushes.mean(dim=1) > 0.1).all()


@pytest.mark.parametrize("name", SEARCHES)
def test_what_becomes_of_an_image_does_not_depend_on_the_others(name: str) -> None:
    teacher = Sectors(shape=(1, 7, 7))
    images, others = draw_images(teacher, 2), draw_images(teacher, 30, seed=1)
    together = _repel(teacher, images, others, _how(*SEARCHES[name]))
    for row in range(len(images)):
        alone = _repel(teacher, images[row : row + 1], others, _how(*SEARCHES[name]), first=row)
        assert torch.equal(alone.images[:, 0], together.images[:, row])
        assert torch.equal(alone.distances[:, 0], together.distances[:, row])
        assert int(alone.queries) == int(together.queries[row])


def test_a_step_takes_what_its_search_usually_takes_and_what_no_repulsion_can_be_is_named() -> None:
    assert Repulsion().queries_per_search == 50
    assert Repulsion(MBD).queries_per_search == 200
    assert Repulsion(BoundaryDistance(3)).queries_per_search == BoundaryDistance(3).most_queries
    with pytest.raises(PlanError, match=r"(?s)steps.*halvings"):
        Repulsion(steps=0, halvings=-1)
    with pytest.raises(PlanError, match="keep must name some of the steps"):
        Repulsion(steps=10)
