"""Picture → network input: scaled to a longest side, padded to the network's stride and no further."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vidreview.errors import ModelError
from vidreview.model import Pixels

#: the grey that YOLO models were trained with at the margins
PAD = 114


@dataclass(frozen=True, slots=True)
class Letterbox:
    """Where a picture lies within the network's input."""

    #: (height, width) of the network's input
    shape: tuple[int, int]
    #: (width, height) of the scaled picture within it
    inner: tuple[int, int]
    #: (left, top) margin
    offset: tuple[int, int]
    #: network pixels per picture pixel, (x, y)
    scale: tuple[float, float]


def fit(
    height: int,
    width: int,
    size: int,
    stride: int = 32,
    fixed: tuple[int, int] | None = None,
    least_area: int = 0,
) -> Letterbox:
    """The letterbox of a (height, width) picture whose longest side becomes ``size``.

    ``fixed`` is the whole (height, width) of a network that takes no other; ``least_area`` is what one needs at least,
    in pixels, made up for with margin. Raises ModelError for an empty picture.
    """
    if height < 1 or width < 1:
        raise ModelError(f"the detector was given a picture of {width}x{height} pixels")
    bound = fixed or (size, size)
    ratio = min(bound[0] / height, bound[1] / width)
    inner = (min(max(1, round(width * ratio)), bound[1]), min(max(1, round(height * ratio)), bound[0]))
    shape = fixed or _padded(inner, stride, least_area)
    offset = ((shape[1] - inner[0]) // 2, (shape[0] - inner[1]) // 2)
    return Letterbox(shape, inner, offset, (inner[0] / width, inner[1] / height))


def _padded(inner: tuple[int, int], stride: int, least_area: int) -> tuple[int, int]:
    """(height, width) in whole strides around a scaled (width, height)."""
    width, height = (-(-side // stride) * stride for side in inner)
    while width * height < least_area:
        width, height = (width, height + stride) if height <= width else (width + stride, height)
    return height, width


def fill(picture: Pixels, box: Letterbox, into: NDArray[np.float32]) -> None:
    """Write the scaled (h, w, 3) BGR picture into a (3, height, width) RGB tensor of 0..1, margins grey."""
    width, height = box.inner
    if (picture.shape[1], picture.shape[0]) != box.inner:
        picture = cv2.resize(picture, box.inner, interpolation=cv2.INTER_LINEAR)  # type: ignore[assignment]
    left, top = box.offset
    into.fill(PAD / 255)
    # divided, not multiplied by a reciprocal: bit for bit what the network was trained and measured with
    np.divide(
        picture[:, :, ::-1].transpose(2, 0, 1),
        np.float32(255),
        out=into[:, top : top + height, left : left + width],
        dtype=np.float32,
    )
