"""Detectors that do to their process what a hostile file does to a decoder; they travel to worker processes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from tests.films import RedDetector
from vidreview.model import Detections, Pixels

#: the picture of a film whose box is this colour sets it off
BLUE = 200


def bad(picture: Pixels) -> bool:
    """The picture shows the mark of a bad film: its upper left corner is blue."""
    return bool(picture[4, 4, 0] > BLUE and picture[4, 4, 2] < 100)


class Crasher(RedDetector):
    """Crashes its process, as a decoder does over a hostile file."""

    def detect(self, pictures: Sequence[Pixels], size: int | None = None) -> list[Detections]:
        if any(bad(p) for p in pictures):
            os.kill(os.getpid(), signal.SIGSEGV)
        return super().detect(pictures, size)


class Hanger(RedDetector):
    """Never comes back."""

    def detect(self, pictures: Sequence[Pixels], size: int | None = None) -> list[Detections]:
        if any(bad(p) for p in pictures):
            time.sleep(3600)
        return super().detect(pictures, size)


class Glutton(RedDetector):
    """Asks for more memory than there may be."""

    def detect(self, pictures: Sequence[Pixels], size: int | None = None) -> list[Detections]:
        if any(bad(p) for p in pictures):
            bytearray(8 << 30)
        return super().detect(pictures, size)


class Faulty(RedDetector):
    """Has a fault of its own."""

    def detect(self, pictures: Sequence[Pixels], size: int | None = None) -> list[Detections]:
        if any(bad(p) for p in pictures):
            raise RuntimeError("a fault of the program")
        return super().detect(pictures, size)


class Writer(RedDetector):
    """Tries to write a file, as a hijacked decoder would."""

    def __init__(self, target: Path) -> None:
        super().__init__()
        self.target = target

    def detect(self, pictures: Sequence[Pixels], size: int | None = None) -> list[Detections]:
        self.target.write_bytes(b"written")
        return super().detect(pictures, size)


class Mortal(RedDetector):
    """Is killed once, by something outside; a file remembers that it has been."""

    def __init__(self, remembered: Path) -> None:
        super().__init__()
        self.remembered = remembered

    def detect(self, pictures: Sequence[Pixels], size: int | None = None) -> list[Detections]:
        if any(bad(p) for p in pictures) and self.pictures and not self.remembered.exists():
            # a folder, since no file may be written here
            self.remembered.mkdir()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().detect(pictures, size)


class Slow(RedDetector):
    """Takes its time over each picture, as a big model does on a small machine."""

    def detect(self, pictures: Sequence[Pixels], size: int | None = None) -> list[Detections]:
        time.sleep(0.8)
        return super().detect(pictures, size)
