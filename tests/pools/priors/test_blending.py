"""Masks of large parts, blends between two images, warps that stay images."""

import torch

from db3kd.pools.priors.blending import blend, focused, framed, relight, smooth_masks, warp
from db3kd.pools.priors.fields import Dice
from db3kd.tensors import Float, Tensor


def _dice(images: Float[Tensor, "n c h w"]) -> Dice:
    return Dice(len(images), torch.Generator().manual_seed(0))


def test_masks_are_large_parts() -> None:
    masks = smooth_masks((28, 28), Dice(200, torch.Generator().manual_seed(0)))
    assert masks.min() >= 0
    assert masks.max() <= 1
    assert 0.3 < masks.mean() < 0.7
    # Neighbours are alike, which they are not in noise of the same spread.
    steps = (masks[:, :, 1:] - masks[:, :, :-1]).abs().mean()
    assert steps < 0.3 * masks.std()


def test_a_blend_is_one_image_where_the_mask_is_clear() -> None:
    first, second = torch.zeros(2, 1, 4, 4), torch.ones(2, 1, 4, 4)
    masks = torch.zeros(2, 4, 4)
    masks[1] = 1
    assert torch.equal(blend(first, second, masks)[:, 0, 0, 0], torch.tensor([0.0, 1.0]))


def test_a_warp_of_no_strength_changes_nothing_and_one_of_strength_does() -> None:
    images = torch.rand(8, 3, 16, 12, generator=torch.Generator().manual_seed(0))
    still = warp(images, torch.Generator().manual_seed(1), strength=0.0)
    assert torch.allclose(still, images, atol=1e-5)
    moved = warp(images, torch.Generator().manual_seed(1))
    assert (moved - images).abs().mean() > 0.05
    assert moved.min() >= 0
    assert moved.max() <= 1


def test_most_objects_are_brought_to_the_middle_and_fill_the_image_in_their_proportions() -> None:
    images = torch.full((400, 3, 24, 24), 0.5)
    images[:, :, 2:14, 3:9] = 1.0
    shown = framed(images, torch.full((400, 3, 1, 1), 0.5), _dice(images))
    left_alone = (shown - images).abs().amax(dim=(1, 2, 3)) < 1e-5
    assert 0.3 < left_alone.float().mean() < 0.5
    filled = torch.full((24, 24), 0.5)
    filled[:, 6:18] = 1.0
    # At twice the size, edges are softened by a pixel on either side.
    differences = (shown[~left_alone][:, 0] - filled).abs()
    assert differences.mean() < 0.03
    assert differences[:, :, [0, 4, 7, 8, 15, 16, 19, 23]].amax() < 0.3


def test_an_object_of_one_pixel_or_of_none_is_framed_as_well() -> None:
    images = torch.zeros(40, 1, 9, 20)
    images[:20, 0, 8, 19] = 1.0
    shown = framed(images, torch.zeros(40, 1, 1, 1), _dice(images))
    assert shown[:20].flatten(1).amax(dim=1).min() > 0.4
    assert shown[20:].eq(0).all()


def test_most_images_are_sharpened_and_flat_ones_stay_flat() -> None:
    images = torch.full((400, 3, 8, 8), 0.25)
    assert torch.allclose(focused(images, _dice(images)), images)
    images[:, :, :, 4:] = 0.75
    shown = focused(images, _dice(images))
    assert shown.min() >= 0
    assert shown.max() <= 1
    # The step at the edge grows, or stays where an image is left alone; far from it nothing changes.
    step = (shown[..., 4] - shown[..., 3])[:, 0, 4]
    assert (step > 0.5 - 1e-6).all()
    assert 0.6 < (step > 0.5 + 1e-4).float().mean() < 0.85
    assert torch.allclose(shown[..., [0, 7]], images[..., [0, 7]])


def test_relighting_keeps_the_order_of_brightness() -> None:
    ramp = torch.linspace(0, 1, 16).expand(20, 1, 4, 16)
    lit = relight(ramp, _dice(ramp))
    assert (lit.diff(dim=3) >= 0).all()
    assert (lit - ramp).abs().amax() > 0.1
