"""Small films for the pipeline's tests: a red box crosses a textured wall; a detector that knows it by its colour."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import cv2
import numpy as np

from vidreview.model import Detections, Pixels

WIDTH, HEIGHT, FPS = 320, 192, 10


def wall(seed: int = 1) -> Pixels:
    """A grey wall with soft texture, (HEIGHT, WIDTH, 3) BGR."""
    noise = np.random.default_rng(seed).normal(110, 12, (HEIGHT // 4, WIDTH // 4))
    grey = cv2.resize(noise, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC).clip(0, 255).astype(np.uint8)
    return np.ascontiguousarray(np.repeat(grey[:, :, None], 3, axis=2))


def box_at(number: int, begins: int, ends: int) -> tuple[int, int, int, int] | None:
    """Where the box is on a frame: it enters at the left edge and leaves at the right one; xyxy."""
    if not begins <= number < ends:
        return None
    x = -24 + (WIDTH + 24) * (number - begins) // (ends - begins)
    return max(0, x), 60, min(WIDTH, x + 24), 120


def picture(number: int, visits: Sequence[tuple[int, int]], background: Pixels, seed: int = 2) -> Pixels:
    """One frame: wall, sensor noise, and the red box where a visit has it."""
    noise = np.random.default_rng([seed, number]).normal(0, 1.5, background.shape)
    frame = (background + noise).clip(0, 255).astype(np.uint8)
    for begins, ends in visits:
        box = box_at(number, begins, ends)
        if box is not None and box[2] > box[0]:
            frame[box[1] : box[3], box[0] : box[2]] = (20, 20, 230)
    return frame


def film(
    path: Path,
    frames: int,
    visits: Sequence[tuple[int, int]],
    *,
    seed: int = 2,
    codec: Literal["libx264", "mpeg4", "mjpeg"] = "libx264",
    crf: int = 16,
) -> Path:
    """Write a film of ``frames`` frames in which the box makes its visits, given as first and one past last frame."""
    background = wall()
    path.parent.mkdir(exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=FPS)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.options = {"preset": "ultrafast", "crf": str(crf), "g": "20"} if codec == "libx264" else {}
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(picture(number, visits, background, seed), format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


class RedDetector:
    """Calls the red box a person, by its colour; counts how often it is asked."""

    name = "red"
    sha256 = "ab" * 32
    runtime = "test"

    def __init__(self, label: int = 0) -> None:
        self.label = label
        self.pictures = 0

    def detect(self, pictures: Sequence[Pixels], size: int | None = None) -> list[Detections]:
        """The bounding box of what is red."""
        self.pictures += len(pictures)
        return [self._one(p) for p in pictures]

    def _one(self, bgr: Pixels) -> Detections:
        red = (bgr[:, :, 2].astype(int) - bgr[:, :, 1] > 80).astype(np.uint8)
        if red.sum() < 40:
            return Detections.none()
        rows, columns = np.flatnonzero(red.any(axis=1)), np.flatnonzero(red.any(axis=0))
        box = [[columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]]
        return Detections(np.array(box, np.float32), np.array([0.9], np.float32), np.array([self.label], np.int16))
