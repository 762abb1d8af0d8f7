"""An image as it goes to a vision model: a file in a data URL."""

import base64
import io
from typing import Literal

from db3kd.arguments import checked_options
from db3kd.data.dataset import as_bytes
from db3kd.data.refitting import as_picture
from db3kd.errors import PlanError
from db3kd.tensors import Float, Tensor

ImageFormat = Literal["png", "jpeg", "webp"]
_CHANNELS = (1, 3)


@checked_options
class Picture:
    """How an image is written.

    Args:
        format: png, which loses nothing, or jpeg or webp.
        quality: of jpeg and webp, from 1 to 100.
        detail: how closely the server is to look: "low", "high" or "auto"; None leaves it to the server.
    """

    format: ImageFormat = "png"
    quality: int = 90
    detail: Literal["low", "high", "auto"] | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.quality <= 100:
            raise PlanError(f"image_quality is from 1 to 100, got {self.quality}; nothing was asked: correct it")

    def write(self, image: Float[Tensor, "c h w"]) -> dict[str, object]:
        """Write an image in [0, 1] as a part of a message."""
        file = io.BytesIO()
        options = {} if self.format == "png" else {"quality": self.quality}
        as_picture(as_bytes(image.detach().cpu().clamp(0, 1))).save(file, self.format, **options)
        url = f"data:image/{self.format};base64,{base64.b64encode(file.getvalue()).decode()}"
        return {"type": "image_url", "image_url": {"url": url} | ({"detail": self.detail} if self.detail else {})}


def check_shape(shape: tuple[int, int, int]) -> None:
    """Refuse images that are neither gray nor coloured."""
    if shape[0] not in _CHANNELS:
        raise PlanError(
            f"an image for a vision model has 1 channel or 3, and teacher.input_shape says {shape[0]}; nothing was "
            "asked: correct it"
        )
