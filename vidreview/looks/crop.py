"""Small pictures of objects, and how good one is."""

from __future__ import annotations

import math

import cv2
import numpy as np

from vidreview.model import Pixels

#: longest side of a crop that is kept, pixels; smaller ones stay as they are (rule D4)
LONGEST = 160
#: quality of the JPEG, of 100
JPEG_QUALITY = 85
#: bytes of a crop that is kept, at most: noise of this size at full quality has less
MOST_BYTES = 96 << 10
#: sharpness, mean absolute Laplacian in grey levels, at which a crop is half as good as it could be
SOFT = 6.0
#: how much worse a crop is that the picture's edge cuts, and how near the edge that is, pixels
CUT, EDGE = 0.3, 2.0
#: score of what only moved
UNNAMED = 0.2


def promise(box: tuple[float, float, float, float], score: float | None, width: int, height: int) -> float:
    """How good a crop can be at most, 0..1: score · √(share of the picture), less where the picture's edge cuts it."""
    x1, y1, x2, y2 = box
    size = math.sqrt(max(0.0, x2 - x1) * max(0.0, y2 - y1) / (width * height))
    cut = x1 <= EDGE or y1 <= EDGE or x2 >= width - EDGE or y2 >= height - EDGE
    return min(1.0, size) * (UNNAMED if score is None else score) * (CUT if cut else 1.0)


def whole_box(box: tuple[float, float, float, float], width: int, height: int) -> tuple[int, int, int, int] | None:
    """The whole pixels that a box touches, within the picture; None when there are none."""
    x1, y1 = max(0, math.floor(box[0])), max(0, math.floor(box[1]))
    x2, y2 = min(width, math.ceil(box[2])), min(height, math.ceil(box[3]))
    return (x1, y1, x2, y2) if x2 > x1 and y2 > y1 else None


def reduced(picture: Pixels, box: tuple[int, int, int, int]) -> Pixels:
    """What is in a box of a picture, reduced to ``LONGEST``, never enlarged; stored geometry."""
    x1, y1, x2, y2 = box
    crop = picture[y1:y2, x1:x2]
    scale = LONGEST / max(x2 - x1, y2 - y1)
    if scale >= 1.0:
        return np.ascontiguousarray(crop)
    size = (max(1, round((x2 - x1) * scale)), max(1, round((y2 - y1) * scale)))
    small: Pixels = np.asarray(cv2.resize(crop, size, interpolation=cv2.INTER_AREA), np.uint8)
    return small


def sharpness(crop: Pixels) -> float:
    """How sharp a crop is, 0..1: m / (m + SOFT), m the mean absolute Laplacian of its lightness."""
    grey = cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY)
    mean = float(np.abs(cv2.Laplacian(grey, cv2.CV_16S)).mean())
    return mean / (mean + SOFT)


def encoded(crop: Pixels) -> bytes | None:
    """A crop as JPEG of fixed quality; None when it is larger than may be kept."""
    done, data = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return data.tobytes() if done and data.size <= MOST_BYTES else None
