"""Pictures for looking at: upright, with square pixels, cut to what matters, reduced and never enlarged (rule D4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from vidreview.clips.stills import for_display
from vidreview.errors import MediaError
from vidreview.model import Pixels
from vidreview.shapes import upright_box, upright_size

#: pixels across, at most
STILL: Final = 1280
THUMB: Final = 240
STRIP: Final = 160
#: frames of a strip, at most
FRAMES: Final = 8
#: share of the picture's width that a crop shows at least, and its margin around what it is about
_LEAST: Final = 0.28
_AROUND: Final = 1.7
_QUALITY: Final = {"still": 88, "small": 80}

#: x, y, width, height in pixels of the upright picture
Crop = tuple[int, int, int, int]
Boxes = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Upright:
    """How a stored picture becomes the one that a player shows: pixels made square by shrinking, then turned."""

    #: stored
    width: int
    height: int
    #: clockwise degrees
    rotation: int = 0
    #: width/height of a pixel
    aspect: Fraction = Fraction(1)

    @property
    def square(self) -> tuple[int, int]:
        """Width and height with square pixels, before it is turned."""
        if self.aspect > 1:
            return self.width, max(1, round(self.height / self.aspect))
        return max(1, round(self.width * self.aspect)), self.height

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the upright picture."""
        return upright_size(*self.square, self.rotation)

    def picture(self, stored: Pixels) -> Pixels:
        """A stored (height, width, 3) picture as it is shown; one of another size is shown by its own."""
        shown, _ = for_display(stored, self.rotation, self.aspect)
        return stored if shown is None else shown

    def boxes(self, stored: Boxes) -> Boxes:
        """(n, 4) boxes of the stored picture in the upright one, xyxy."""
        width, height = self.square
        scale = np.array([width / self.width, height / self.height] * 2, np.float32)
        sides: Any = tuple((stored * scale).T)  # columns of all boxes instead of the numbers of one
        turned: Any = upright_box(sides, width, height, self.rotation)
        return np.stack(turned, axis=1).astype(np.float32)


def crop_around(boxes: Boxes, size: tuple[int, int], least: int) -> Crop:
    """The part of an upright picture that shows all of ``boxes`` (n, 4), with room, in the picture's proportions.

    It is at least ``least`` pixels wide, where the picture is, so that it need not be enlarged.
    """
    width, height = size
    if not len(boxes):
        return 0, 0, width, height
    clipped = np.clip(boxes, 0, [width, height, width, height])
    left, top, right, bottom = (
        float(clipped[:, 0].min()),
        float(clipped[:, 1].min()),
        float(clipped[:, 2].max()),
        float(clipped[:, 3].max()),
    )
    share = max(_AROUND * (right - left) / width, _AROUND * (bottom - top) / height, _LEAST, least / width)
    share = min(1.0, share)
    across, down = max(1, round(width * share)), max(1, round(height * share))
    x = min(max(0, round((left + right - across) / 2)), width - across)
    y = min(max(0, round((top + bottom - down) / 2)), height - down)
    return x, y, across, down


def cut_out(picture: Pixels, crop: Crop, size: tuple[int, int], across: int) -> Pixels:
    """A crop, given in pixels of an upright picture of ``size``, at most ``across`` wide; never enlarged."""
    height, width = picture.shape[:2]
    if (width, height) != size:  # the stream changes its size here: the whole of it, in the same proportions
        return _within(picture, across, round(across * crop[3] / crop[2]))
    x, y, w, h = crop
    return reduced(picture[y : y + h, x : x + w], across)


def reduced(picture: Pixels, across: int) -> Pixels:
    """A picture at most so many pixels wide."""
    height, width = picture.shape[:2]
    if width <= across:
        return picture
    size = (across, max(1, round(height * across / width)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def strip(pictures: Sequence[Pixels]) -> tuple[Pixels, int, int]:
    """Pictures side by side, and the width and height of one; smaller ones lie in the middle of black."""
    height, width = max(p.shape[0] for p in pictures), max(p.shape[1] for p in pictures)
    sheet = np.zeros((height, width * len(pictures), 3), np.uint8)
    for k, picture in enumerate(pictures):
        top, left = (height - picture.shape[0]) // 2, (width - picture.shape[1]) // 2
        sheet[top : top + picture.shape[0], k * width + left : k * width + left + picture.shape[1]] = picture
    return sheet, width, height


def jpeg(picture: Pixels, kind: str) -> bytes:
    """A JPEG file of a picture; ``kind`` is "still" or "small"."""
    return _encoded(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY[kind]])


def png(picture: Pixels) -> bytes:
    """A PNG file of a (height, width, 4) picture with transparency, BGRA."""
    return _encoded(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 6])


def _encoded(extension: str, picture: Pixels, options: list[int]) -> bytes:
    done, data = cv2.imencode(extension, picture, options)
    if not done:
        raise MediaError(f"a picture of {picture.shape[1]}x{picture.shape[0]} cannot be written as {extension[1:]}")
    return data.tobytes()


def _within(picture: Pixels, across: int, down: int) -> Pixels:
    height, width = picture.shape[:2]
    share = min(1.0, across / width, down / height)
    if share == 1.0:
        return picture
    size = (max(1, round(width * share)), max(1, round(height * share)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
