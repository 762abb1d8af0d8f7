"""Distances to outlines at places where they are known, and frames that are moved and turned."""

import math

import pytest
import torch

from db3kd.pools.priors import outlines
from db3kd.pools.priors.fields import Dice, Frame, coordinates
from db3kd.pools.priors.outlines import box, capsule, cover, ellipse, moved, pixel_of, profile, shape, stroke, turned
from db3kd.tensors import Float, Tensor
from made_answers import seeded


def _number(*values: float) -> Float[Tensor, "n 1 1"]:
    return torch.tensor(values)[:, None, None]


def _at(*places: tuple[float, float]) -> Frame:
    """Places (y, x), as if they were the pixels of one row."""
    return Frame(torch.tensor([[[y for y, _ in places]]]), torch.tensor([[[x for _, x in places]]]))


def _listed(distances: Float[Tensor, "1 1 w"]) -> list[float]:
    return [round(one, 4) for one in distances.flatten().tolist()]


def test_a_pixel_is_as_wide_as_along_the_shorter_side() -> None:
    assert pixel_of((10, 40)) == pixel_of((40, 10)) == 0.2


def test_distances_are_positive_inside_and_zero_on_the_outline() -> None:
    half, fifth, origin = _number(0.5), _number(0.2), (_number(0.0), _number(0.0))
    assert _listed(ellipse(_at((0, 0), (0.3, 0.4), (0, 0.9)), (half, half))) == [0.5, 0.0, -0.4]
    # Along its axes an ellipse is known to first order.
    assert _listed(ellipse(_at((0, 0), (0.5, 0), (0, 0.2), (0, 0.3)), (half, fifth))) == [0.2, 0.0, 0.0, -0.1]
    assert _listed(box(_at((0, 0), (-0.5, 0.1), (0, -0.3)), (half, fifth))) == [0.2, 0.0, -0.1]
    line = capsule(_at((0, 0.5), (0.3, 0.5), (0, -0.4), (0, 1.6)), origin, (_number(0.0), _number(1.0)))
    assert _listed(line) == [0.0, -0.3, -0.4, -0.6]


def test_a_capsule_is_as_thick_as_said_at_each_end() -> None:
    ends = (_number(0.0), _number(-1.0)), (_number(0.0), _number(1.0))
    thick = capsule(_at((0, -1), (0, 0), (0, 1), (0, 1.5)), *ends, thickness=(0.4, _number(0.2)))
    assert _listed(thick) == [0.4, 0.3, 0.2, -0.3]
    point = capsule(_at((0, 0.25)), ends[1], ends[1], thickness=(1.0, 1.0))
    assert _listed(point) == [0.25]


def test_a_frame_is_moved_and_turned() -> None:
    at = moved(_at((0.5, 0.25), (0.5, 1.25)), (_number(0.5), _number(0.25)), _number(math.pi / 2))
    assert _listed(at.y) == [0.0, -1.0]
    assert _listed(at.x) == [0.0, 0.0]


def test_frames_stand_or_lie_and_half_of_all_are_turned_over() -> None:
    plain = coordinates((3, 5))
    at = turned(Frame(plain.y.expand(4_000, 3, 5), plain.x.expand(4_000, 3, 5)), Dice(4_000, seeded()))
    y, x = plain.y.expand(1, 3, 5), plain.x.expand(1, 3, 5)
    kinds = {"standing": (y, x), "over": (-y, x), "lying": (x, y), "lying over": (-x, y)}
    shares = {
        name: float(((at.y == one) & (at.x == other)).all(dim=(1, 2)).float().mean())
        for name, (one, other) in kinds.items()
    }
    assert shares == pytest.approx({"standing": 0.325, "over": 0.325, "lying": 0.175, "lying over": 0.175}, abs=0.03)


def test_a_stencil_is_half_on_the_outline_and_soft_within_few_pixels() -> None:
    size = (20, 20)
    distances = coordinates(size).x.expand(300, *size).contiguous()
    for softest in (1.5, 4.0):
        stencil = cover(distances, Dice(300, seeded()), softest=softest)
        between = (stencil > 0) & (stencil < 1)
        # Pixels lie a tenth apart.
        assert 2 * softest - 1 <= between[:, 0].sum(dim=1).max() <= 2 * softest
        assert (between.any(dim=1) & (coordinates(size).x[:, 0].abs() > softest * 0.1 + 1e-6)).sum() == 0
        assert torch.allclose(stencil + stencil.flip(2), torch.ones(()), atol=1e-5)
        assert (stencil.diff(dim=2) >= 0).all()
    assert (cover(torch.zeros(2, 4, 4), Dice(2, seeded())) == 0.5).all()


def test_a_profile_stays_in_bounds_and_is_read_at_its_ends_beyond_them() -> None:
    position = (torch.arange(-10, 21) / 10).expand(500, 1, 31)
    found = profile(position, Dice(500, seeded()))
    assert 0 <= found.min() < 0.01
    assert 0.99 < found.max() <= 1
    assert (found[:, :, :11] == found[:, :, :1]).all()
    assert (found[:, :, 20:] == found[:, :, -1:]).all()
    # Some go in steps, others in lines or curves.
    steps = (found[:, 0, 10:21].diff(dim=1) != 0).sum(dim=1)
    assert (steps <= 7).float().mean() == pytest.approx(0.2, abs=0.05)
    assert (steps == 10).float().mean() > 0.5


def test_shapes_are_of_the_size_that_was_said() -> None:
    small, large = (shape((24, 24), Dice(300, seeded()), scale=_number(*[scale] * 300)) for scale in (0.1, 0.8))
    assert ((small > 0).sum(dim=(1, 2)) < (large > 0).sum(dim=(1, 2))).all()
    assert small.max() <= 0.1
    assert large.max() <= 0.8
    # However it is turned, it reaches no further than the corner of a square, and half a pixel.
    rows = (small > 0).any(dim=2).sum(dim=1)
    assert rows.max() <= 2 * 0.1 * math.sqrt(2) / pixel_of((24, 24)) + 1


def test_a_stroke_is_never_thick_and_passes_through_the_image() -> None:
    lines = stroke((24, 24), Dice(200, seeded()))
    assert lines.max() <= 0
    # Its nearest pixel is less than a pixel away, and most of the image is not.
    assert lines.amax(dim=(1, 2)).min() > -pixel_of((24, 24))
    assert ((lines > -pixel_of((24, 24))).float().mean(dim=(1, 2)) < 0.5).all()


@pytest.mark.parametrize("part", ["gap", "limb", "handle", "trunk"])
def test_parts_of_bodies_are_within_the_image_and_differ(part: str) -> None:
    plain = coordinates((24, 24))
    at = Frame(plain.y.expand(300, 24, 24), plain.x.abs().expand(300, 24, 24))
    drawn = getattr(outlines, part)(at, Dice(300, seeded())) > 0
    assert drawn.shape == (300, 24, 24)
    # Both sides of this frame are alike, and so is what is drawn in it.
    assert torch.equal(drawn, drawn.flip(2))
    assert drawn.any(dim=0).float().mean() > 0.2
    assert len(drawn.flatten(1).unique(dim=0)) > 240
    assert drawn.float().mean(dim=(1, 2)).max() < 1
