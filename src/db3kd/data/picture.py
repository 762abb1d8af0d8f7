"""One picture, whatever its size and mode, brought to the size and the colours that are wanted, in the one way of ours.

A picture that has them already passes unchanged, byte for byte. What was done to one is told by words of `CHANGES`;
counting them is the business of `reading`. Knows pillow, and no file.
"""

from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from annotated_types import Ge, Interval

from db3kd.arguments import checked_options
from db3kd.tensors import UInt8

if TYPE_CHECKING:
    from PIL import Image

Shape = tuple[int, int, int]
Size = tuple[Annotated[int, Ge(1)], Annotated[int, Ge(1)]]
Byte = Annotated[int, Interval(ge=0, le=255)]

CHANGES = {
    "scaled": "scaled",
    "turned": "turned as their EXIF data say",
    "alpha": "transparent, put on the background",
    "palette": "of a palette",
    "deep": "of more than 8 bits a channel, cut to the upper 8",
    "inks": "CMYK or another colour space, made RGB without a colour profile",
    "first": "animations or several pages, of which the first picture is taken",
    "colored": "gray, made RGB",
    "grayed": "coloured, made gray",
}
"""What can be done to a picture, and what is said of those to which it was done."""

_COLORS = 3
_DEEP = ("I", "I;16", "I;16B", "I;16L", "I;16N")
_GRAY = ("1", "L", "LA", "La", "F", *_DEEP)
_MOST_OF_DEEP = 2**16 - 1
_ORIENTATION = 0x0112
# A JPEG is decoded at an eighth, a quarter or a half where that is still twice as large as what is wanted.
_DRAFT = 2


@checked_options
class ImageOptions:
    """How pictures are brought to one size and one kind of colour, and what becomes of broken ones.

    Args:
        size: [height, width] of all images; left out, what the teacher takes.
        fit: how a picture of another size is brought to it: "crop" covers the size and cuts off the rest, "pad"
            shows all of it with the background beside it, "stretch" changes the ratio of its sides.
        color: "rgb" or "gray"; left out, what the teacher takes.
        background: red, green and blue, from 0 to 255, under transparent pixels and beside a padded picture.
        broken: "skip" leaves a file out that cannot be read, "stop" refuses all for it.
        broken_share: the largest part of the files that may be left out; more is an error.
    """

    size: Size | None = None
    fit: Literal["crop", "pad", "stretch"] = "crop"
    color: Literal["rgb", "gray"] | None = None
    background: tuple[Byte, Byte, Byte] = (255, 255, 255)
    broken: Literal["skip", "stop"] = "skip"
    broken_share: Annotated[float, Interval(ge=0, le=1)] = 0.1

    @property
    def is_stated(self) -> bool:
        """Whether a part of the shape is said here."""
        return self.size is not None or self.color is not None

    def shape(self, wanted: Shape | None) -> Shape | None:
        """Give the shape of all images: what is said here, and else what is wanted; None where a part is unknown."""
        channels = {"rgb": _COLORS, "gray": 1, None: None if wanted is None else wanted[0]}[self.color]
        size = self.size or (None if wanted is None else wanted[1:])
        if channels is None or size is None:
            return None
        return (channels if channels in (1, _COLORS) else _COLORS, *size)


def shape_of(image: "Image.Image") -> Shape:
    """Tell the shape that a picture has without being scaled: RGB, unless it is gray."""
    turned = _turn_of(image) is not None and _is_across(image)
    size = (image.width, image.height) if turned else (image.height, image.width)
    return (1 if image.mode in _GRAY else _COLORS, *size)


def formed(image: "Image.Image", shape: Shape, options: ImageOptions) -> tuple[UInt8[np.ndarray, "c h w"], list[str]]:
    """Bring a picture to a shape; what was done is told by words of `CHANGES`. A ValueError where it cannot be done."""
    changes: list[str] = []
    if getattr(image, "is_animated", False) and image.format != "MPO":
        # What a phone calls MPO is a photo with a preview behind it.
        changes.append("first")
    turn = _turn_of(image)
    size = shape[2:0:-1]
    across = turn is not None and _is_across(image)
    _draft(image, size[::-1] if across else size, options.fit)
    flat = _flattened(image, options, changes)
    if turn is not None:
        changes.append("turned")
        flat = flat.transpose(turn)
    mode = "RGB" if shape[0] == _COLORS else "L"
    # Colour first where the size changes too, so that the background has the right one.
    if flat.mode != mode:
        changes.append("colored" if mode == "RGB" else "grayed")
        flat = flat.convert(mode)
    if flat.size != size:
        changes.append("scaled")
        flat = _fitted(flat, size, options)
    planes = np.asarray(flat).reshape(shape[1], shape[2], shape[0])
    return np.ascontiguousarray(planes.transpose(2, 0, 1)), changes


def _orientation(image: "Image.Image") -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # noqa: BLE001  # pillow reads EXIF data as they are, and raises whatever it meets in broken ones
        return 1


def _turn_of(image: "Image.Image") -> "Image.Transpose | None":
    """The turn that brings a picture upright; None where it is so, or does not say."""
    from PIL.Image import Transpose

    return {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }.get(_orientation(image))


def _is_across(image: "Image.Image") -> bool:
    """Whether turning exchanges height and width."""
    return _orientation(image) >= 5


def _draft(image: "Image.Image", size: tuple[int, int], fit: str) -> None:
    """Have a JPEG that is much too large decoded at a part of its size, which saves most of the time."""
    if image.format not in ("JPEG", "MPO"):
        return
    scales = (size[0] / image.width, size[1] / image.height)
    scale = {"crop": max(scales), "pad": min(scales), "stretch": max(scales)}[fit] * _DRAFT
    image.draft(image.mode, (int(image.width * scale) + 1, int(image.height * scale) + 1))


def _flattened(image: "Image.Image", options: ImageOptions, changes: list[str]) -> "Image.Image":
    """Give a picture as 8-bit gray or RGB."""
    from PIL import Image

    if image.mode in _DEEP or image.mode == "F":
        changes.append("deep")
        return Image.fromarray(_upper_bits(image))
    if image.has_transparency_data:
        changes.append("alpha")
        over = image.convert("RGBA")
        under = Image.new("RGB", image.size, options.background)
        under.paste(over, mask=over.getchannel("A"))
        return under
    if image.mode == "P":
        changes.append("palette")
        return image.convert("RGB")
    if image.mode == "1":
        return image.convert("L")
    if image.mode not in ("L", "RGB"):
        changes.append("inks")
        return image.convert("RGB")
    image.load()
    return image


def _upper_bits(image: "Image.Image") -> UInt8[np.ndarray, "h w"]:
    values = np.asarray(image)
    if image.mode == "F":
        # NaN fails every comparison.
        if not (values.min() >= 0 and values.max() <= 1):
            raise ValueError("its floating point pixels are not all from 0 to 1")
        return np.asarray((values * 255).round().astype(np.uint8))
    if int(values.min()) < 0 or int(values.max()) > _MOST_OF_DEEP:
        raise ValueError("its pixels take more than 16 bits")
    # As pillow does for 16-bit RGB.
    return np.asarray((values.astype(np.int32) >> 8).astype(np.uint8))


def _fitted(image: "Image.Image", size: tuple[int, int], options: ImageOptions) -> "Image.Image":
    from PIL import Image

    (width, height), (wide, high) = size, image.size
    bilinear = Image.Resampling.BILINEAR
    if options.fit == "stretch":
        return image.resize(size, bilinear)
    if options.fit == "crop":
        kept = min(wide / width, high / height)
        # Rounded, the side that is kept whole may come out a hair longer than it is.
        left, top = max(0.0, wide - kept * width) / 2, max(0.0, high - kept * height) / 2
        return image.resize(size, bilinear, box=(left, top, left + kept * width, top + kept * height))
    scale = min(width / wide, height / high)
    inner = (min(width, max(1, round(wide * scale))), min(height, max(1, round(high * scale))))
    background = Image.new("RGB", size, options.background).convert(image.mode)
    background.paste(image.resize(inner, bilinear), ((width - inner[0]) // 2, (height - inner[1]) // 2))
    return background
