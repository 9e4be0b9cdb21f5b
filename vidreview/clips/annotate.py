"""Annotated copies: boxes, track ids and times drawn on a copy, which always goes with the clean ones (rule D5)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np

from vidreview.clips.copy import ClipRecord
from vidreview.clips.courses import Box, Course, How, Placer
from vidreview.clips.encode import Planes
from vidreview.clips.viewing import Prepared, write_copy
from vidreview.shapes import upright_box

if TYPE_CHECKING:
    from vidreview.model import Pixels

#: Y, blue and red difference (limited range) by what is drawn; told apart by brightness and dashes as well
_COLOURS: Final = {
    "person": (170, 60, 180),
    "vehicle": (170, 170, 60),
    "motion": (200, 50, 140),
    "other": (190, 128, 128),
}
_INK: Final = (16, 128, 128)
_PAPER: Final = (228, 128, 128)
#: height of text: this share of the picture's lesser side, but no fewer pixels
TEXT_SHARE: Final = 1 / 44
TEXT_LEAST: Final = 12
LEGEND: Final = "solid: detected   long dashes: motion only   short dashes: in between   thin: not of this event"
#: (drawn, left out) in units of the line's width; solid without one
_DASHES: Final[dict[How, tuple[int, int] | None]] = {
    "detected": None,
    "motion": (8, 4),
    "interpolated": (3, 3),
    "between": (3, 3),
}


@dataclass(frozen=True, slots=True)
class Annotation:
    """What is drawn."""

    courses: Sequence[Course]
    #: names of the event's own tracks
    members: frozenset[str]
    #: what is written below the picture for an instant of the stream, besides the stream time
    stamp: Callable[[float], str] = lambda _: ""


@dataclass(frozen=True, slots=True)
class _Label:
    box: Box
    colour: str
    how: How
    text: str
    own: bool


class _Pen:
    """Draws at the size of one copy; ``aspect`` is width/height of its pixels."""

    def __init__(self, width: int, height: int, aspect: Fraction) -> None:
        self.aspect = float(aspect)
        self.size = max(TEXT_LEAST, round(min(width * self.aspect, height) * TEXT_SHARE))
        self.line = max(2, round(min(width, height) / 240 / 2) * 2)
        self.pad = max(2, self.size // 5)
        self._font: Any = None
        self.text = lru_cache(maxsize=512)(self._text)

    def _text(self, text: str) -> Pixels:
        """How much of each pixel is ink, 0 to 255; narrower where players will stretch it."""
        from PIL import Image, ImageDraw, ImageFont

        if self._font is None:
            self._font = ImageFont.load_default(self.size)
        left, _, right, _ = self._font.getbbox(text)
        image = Image.new("L", (max(1, round(right - left)), round(self.size * 1.25)), 0)
        ImageDraw.Draw(image).text((-left, 0), text, fill=255, font=self._font)
        mask: Any = np.asarray(image)
        across = max(1, round(mask.shape[1] / self.aspect))
        if across != mask.shape[1]:
            mask = cv2.resize(mask, (across, mask.shape[0]), interpolation=cv2.INTER_AREA)
        return np.asarray(mask, np.uint8)

    def write(self, picture: Planes, x: int, y: int, text: str, paper: tuple[int, int, int] | None = None) -> None:
        """Text with its padding at a place, dark on ``paper``; light on what is there without."""
        mask = self.text(text)
        height, width = mask.shape
        if paper is not None:
            fill(picture, (x, y, x + width + 2 * self.pad, y + height + 2 * self.pad), paper)
        x, y = x + self.pad, y + self.pad
        part = picture.luma[y : y + height, x : x + width]
        share = mask[: part.shape[0], : part.shape[1]].astype(np.int32)
        ink = _PAPER[0] if paper is None else _INK[0]
        part[:] = (part + (ink - part.astype(np.int32)) * share // 255).astype(np.uint8)

    def extent(self, text: str) -> tuple[int, int]:
        """Width and height of text with its padding."""
        height, width = self.text(text).shape
        return width + 2 * self.pad, height + 2 * self.pad

    def frame(self, picture: Planes, box: Box, colour: tuple[int, int, int], width: int, how: How) -> None:
        """A box's outline, drawn around it so that nothing of the object is covered, edged in black."""
        x1, y1, x2, y2 = (round(side) for side in box)
        for grow, tint in ((width + 1, _INK), (width, colour)):
            sides = (
                ((x1 - grow, y1 - grow, x2 + grow, y1), 0),
                ((x1 - grow, y2, x2 + grow, y2 + grow), 0),
                ((x1 - grow, y1 - grow, x1, y2 + grow), 1),
                ((x2, y1 - grow, x2 + grow, y2 + grow), 1),
            )
            for side, along in sides:
                _dashed(picture, side, along, tint, width, _DASHES[how])


def fill(picture: Planes, box: tuple[int, int, int, int], colour: tuple[int, int, int]) -> None:
    """Paint a rectangle of whole pixels, as far as it lies in the picture."""
    x1, y1 = max(0, box[0]), max(0, box[1])
    x2, y2 = min(picture.width, box[2]), min(picture.height, box[3])
    if x2 <= x1 or y2 <= y1:
        return
    picture.luma[y1:y2, x1:x2] = colour[0]
    for plane, tint in ((picture.blue, colour[1]), (picture.red, colour[2])):
        plane[y1 // 2 : (y2 + 1) // 2, x1 // 2 : (x2 + 1) // 2] = tint


def _dashed(
    picture: Planes,
    side: tuple[int, int, int, int],
    along: int,
    colour: tuple[int, int, int],
    width: int,
    dashes: tuple[int, int] | None,
) -> None:
    if dashes is None:
        fill(picture, side, colour)
        return
    drawn, step = dashes[0] * width, sum(dashes) * width
    for start in range(side[along], side[along + 2], step):
        piece = list(side)
        piece[along], piece[along + 2] = start, min(start + drawn, side[along + 2])
        fill(picture, (piece[0], piece[1], piece[2], piece[3]), colour)


def annotate(
    ready: Prepared, annotation: Annotation, folder: Path, *, origin: dict[str, Any] | None = None
) -> ClipRecord:
    """Write ``NAME_ANNOTATED.mp4`` with a manifest; boxes lie around objects, all text below the picture or beside it.

    The caller writes the evidential clip and the viewing copy first. Errors as for ``view``.
    """
    width, height = ready.canvas.shown
    aspect = ready.shown_aspect
    pen = _Pen(width, height, aspect)
    placers = [Placer(ready, course) for course in annotation.courses if _drawn(course, annotation)]
    rows = _rows(pen, width, [_clock(0.0), annotation.stamp(ready.request.start_s), *LEGEND.split("   ")])
    band = -(-rows * pen.extent("0")[1] // 2) * 2
    drawn: dict[str, int] = {}

    def paint(number: int, picture: Planes) -> Planes:
        sheet = _below(picture, band)
        seconds = ready.seconds(number)
        labels = list(_labels(ready, placers, annotation, seconds))
        for label in labels:
            drawn[label.text] = drawn.get(label.text, 0) + 1
        _draw(pen, sheet, labels, height)
        _write_band(pen, sheet, height, [_clock(seconds), annotation.stamp(seconds), *LEGEND.split("   ")])
        return sheet

    def more() -> dict[str, Any]:
        return {
            "annotation": {
                "clean": [f"{ready.request.name}_VIEW.mp4", f"{ready.request.name}_copy"],
                "tracks_of_event": sorted(annotation.members),
                "drawn_on_frames": dict(sorted(drawn.items())),
                "legend": LEGEND,
                "band_below_picture": band,
                "boxes": "of the tracks' points; between two of them on a straight line over time, and dashed there",
                "not_drawn": "tracks that a rule dropped, and single detections: see 'vidreview why'",
            }
        }

    name = ready.request.name
    comment = f"annotated copy: boxes and text are drawn in; the clean one is {name}_VIEW, the evidence {name}_copy"
    return write_copy(
        ready, folder, "ANNOTATED", "annotated copy", comment, paint_shown=paint, band=band, more=more, origin=origin
    )


def _drawn(course: Course, annotation: Annotation) -> bool:
    return course.dropped is None or course.name in annotation.members


def _labels(ready: Prepared, placers: Sequence[Placer], annotation: Annotation, seconds: float) -> list[_Label]:
    """What is drawn at an instant, own tracks last, so that they lie on top."""
    found = []
    for placer in placers:
        where = placer.at(seconds)
        if where is None:
            continue
        course = placer.course
        own = course.name in annotation.members
        box = upright_box(where.box, ready.canvas.width, ready.canvas.height, ready.request.rotation)
        text = f"{course.name} {course.label}" if own else course.name
        found.append(_Label(box, course.event_class if own else "other", where.how, text, own))
    return sorted(found, key=lambda label: label.own)


def _draw(pen: _Pen, sheet: Planes, labels: Sequence[_Label], height: int) -> None:
    """Outlines first, then each label beside its box, where it covers least."""
    taken: list[Box] = [label.box for label in labels]
    picture = Planes(sheet.buffer, sheet.luma[:height], sheet.blue[: height // 2], sheet.red[: height // 2])
    for label in labels:
        width = pen.line if label.own else max(1, pen.line // 2)
        pen.frame(picture, label.box, _COLOURS[label.colour], width, label.how)
    for label in reversed(labels):
        place = _free(pen, picture, label, taken)
        taken.append(place)
        pen.write(picture, int(place[0]), int(place[1]), label.text, _COLOURS[label.colour])


def _free(pen: _Pen, picture: Planes, label: _Label, taken: Sequence[Box]) -> Box:
    """Above, below, right or left of a box, within the picture: where least of what is there is covered."""
    across, down = pen.extent(label.text)
    x1, y1, x2, y2 = label.box
    gap = pen.line + 1
    best: tuple[float, int, Box] | None = None
    for rank, (x, y) in enumerate(
        ((x1, y1 - gap - down), (x1, y2 + gap), (x2 + gap, y1), (x1 - gap - across, y1), (x2 - across, y1 - gap - down))
    ):
        left = min(max(0.0, float(round(x))), float(max(0, picture.width - across)))
        top = min(max(0.0, float(round(y))), float(max(0, picture.height - down)))
        place = (left, top, left + across, top + down)
        covered = sum(_shared(place, other) for other in taken)
        if best is None or (covered, rank) < best[:2]:
            best = covered, rank, place
    assert best is not None
    return best[2]


def _shared(one: Box, other: Box) -> float:
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    return across * down if across > 0 and down > 0 else 0.0


def _below(picture: Planes, band: int) -> Planes:
    """The picture with a black band below it, so that text covers nothing of it."""
    sheet = Planes.empty(picture.width, picture.height + band)
    sheet.luma[: picture.height] = picture.luma
    sheet.blue[: picture.height // 2] = picture.blue
    sheet.red[: picture.height // 2] = picture.red
    return sheet


def _rows(pen: _Pen, width: int, pieces: Sequence[str]) -> int:
    return len(_wrapped(pen, width, pieces))


def _wrapped(pen: _Pen, width: int, pieces: Sequence[str]) -> list[str]:
    """Pieces of text on as few lines as hold them."""
    lines: list[str] = []
    for piece in pieces:
        if not piece:
            continue
        longer = f"{lines[-1]}   {piece}" if lines else piece
        if lines and pen.extent(longer)[0] <= width:
            lines[-1] = longer
        else:
            lines.append(piece)
    return lines


def _write_band(pen: _Pen, sheet: Planes, top: int, pieces: Sequence[str]) -> None:
    down = pen.extent("0")[1]
    for k, line in enumerate(_wrapped(pen, sheet.width, pieces)):
        pen.write(sheet, 0, top + k * down, line)


def _clock(seconds: float) -> str:
    milliseconds = round(seconds * 1000)
    sign = "-" if milliseconds < 0 else ""
    whole, rest = divmod(abs(milliseconds), 1000)
    return f"stream {sign}{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}.{rest:03d}"


__all__ = ["Annotation", "annotate"]
