"""Polygons and lines that people draw on the picture, in pixels or per cent of it, and the picture they mean.

Every coordinate here is one of the *upright* picture: stored pixels, turned as a player turns them, since that is what
a person draws on; x to the right, y down, from the top left corner.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from vidreview.errors import UsageError

Corner = tuple[float, float]
Box = tuple[float, float, float, float]

#: how a shape is written, for messages
FORM = "x1,y1,x2,y2,… in pixels, or 10%,20%,… in per cent of the picture's width and height"
#: more corners than any hand draws: a file that has them is not what was meant
_MOST = 1000


@dataclass(frozen=True, slots=True)
class Drawn:
    """Corners as they were given, not yet on any picture."""

    kind: Literal["region", "line"]
    #: pixels, or shares of width and height from 0 to 1
    corners: tuple[Corner, ...]
    #: the corners are shares
    shares: bool
    #: what a person calls it, else as it was written
    name: str

    def on(self, width: float, height: float) -> tuple[Corner, ...]:
        """The corners in pixels of an upright picture of this size."""
        if not self.shares:
            return self.corners
        return tuple((x * width, y * height) for x, y in self.corners)

    def fits(self, width: float, height: float) -> bool:
        """True when no corner lies outside a picture of this size; one on its edge is inside."""
        return self.shares or all(x <= width and y <= height for x, y in self.corners)


def parse_region(given: object, where: str, name: str | None = None) -> Drawn:
    """A polygon from ``x1,y1,x2,y2,…`` or a list of such numbers; raises UsageError that begins with ``where``.

    It must have three corners or more, an area, and sides that do not cross, so that what is inside is in no doubt.
    """
    drawn = _drawn(given, "region", where, name)
    corners = drawn.corners
    if len(corners) > 1 and corners[0] == corners[-1]:
        corners = corners[:-1]  # written closed: the same polygon
    if len(corners) < 3:
        raise UsageError(f"{where}: a region needs at least 3 corners, {len(corners)} given; write {FORM}")
    _refuse_doubled(corners, where, "region")
    if crossing := _crossing_sides(corners):
        one, other = crossing
        raise UsageError(
            f"{where}: the sides from corner {one + 1} and from corner {other + 1} cross or touch, so what is inside "
            "would be in doubt; give the corners in the order in which one walks around the region"
        )
    return Drawn("region", corners, drawn.shares, drawn.name)


def parse_line(given: object, where: str, name: str | None = None) -> Drawn:
    """A line of two points or more, from its first to its last; raises UsageError that begins with ``where``."""
    drawn = _drawn(given, "line", where, name)
    if len(drawn.corners) < 2:
        raise UsageError(f"{where}: a line needs 2 points, {len(drawn.corners)} given; write {FORM}")
    _refuse_doubled(drawn.corners, where, "line")
    return drawn


def _drawn(given: object, kind: Literal["region", "line"], where: str, name: str | None) -> Drawn:
    parts = _parts(given, where)
    numbers = [_number(part, where) for part in parts]
    if len(numbers) % 2:
        raise UsageError(f"{where}: {len(numbers)} numbers, but each point is an x and a y; write {FORM}")
    if len(numbers) > 2 * _MOST:
        raise UsageError(f"{where}: more than {_MOST} points")
    if len({share for _, share in numbers}) > 1:
        raise UsageError(f"{where}: pixels and per cent are mixed; write all numbers with % or none")
    values = [value for value, _ in numbers]
    shares = bool(numbers) and numbers[0][1]
    written = ",".join(str(part).strip() for part in parts)
    return Drawn(kind, tuple(zip(values[::2], values[1::2], strict=True)), shares, name or written)


def _parts(given: object, where: str) -> list[object]:
    if isinstance(given, str):
        return list(given.split(","))
    if isinstance(given, list):
        flat: list[object] = []
        for one in given:
            flat += one if isinstance(one, list) else [one]
        return flat
    raise UsageError(f"{where}: {given!r} is no shape; write {FORM}")


def _number(part: object, where: str) -> tuple[float, bool]:
    """A coordinate, and whether it is a share."""
    text = str(part).strip()
    share = text.endswith("%")
    try:
        if isinstance(part, bool) or not isinstance(part, str | int | float):
            raise ValueError
        value = float(text.removesuffix("%"))
    except (ValueError, OverflowError):
        raise UsageError(f"{where}: cannot read {text!r} as a coordinate; write {FORM}") from None
    if not math.isfinite(value) or value < 0:
        raise UsageError(f"{where}: {text} lies outside every picture; coordinates begin with 0 at the top left")
    if share and value > 100:
        raise UsageError(f"{where}: {text} lies outside the picture, which ends at 100%")
    return (value / 100 if share else value), share


def _refuse_doubled(corners: Sequence[Corner], where: str, kind: str) -> None:
    pairs = [*pairwise(corners)] + ([(corners[-1], corners[0])] if kind == "region" else [])
    for k, (one, other) in enumerate(pairs):
        if one == other:
            raise UsageError(f"{where}: point {k + 1} and the next are the same; leave one out")


def _crossing_sides(corners: Sequence[Corner]) -> tuple[int, int] | None:
    """Two sides of a polygon that meet elsewhere than in the corner they share."""
    n = len(corners)
    sides = [(corners[k], corners[(k + 1) % n]) for k in range(n)]
    for i in range(n):
        for j in range(i + 1, n):
            if j == i + 1 or (i == 0 and j == n - 1):
                # neighbours share a corner; folded back on each other they enclose nothing
                (a, b), (c, d) = (sides[i], sides[j]) if j == i + 1 else (sides[j], sides[i])
                back = (b[0] - a[0]) * (d[0] - c[0]) + (b[1] - a[1]) * (d[1] - c[1]) < 0
                if side(a, b, d) == 0 and back:
                    return i, j
            elif segments_meet(*sides[i], *sides[j]):
                return i, j
    return None


def side(start: Corner, end: Corner, point: Corner) -> float:
    """Where a point lies, for one who walks from ``start`` to ``end``: below 0 to the left, above 0 to the right."""
    return (end[0] - start[0]) * (point[1] - start[1]) - (end[1] - start[1]) * (point[0] - start[0])


def segments_meet(a: Corner, b: Corner, c: Corner, d: Corner) -> bool:
    """True when the segments a–b and c–d have a point in common, an end included."""
    if max(a[0], b[0]) < min(c[0], d[0]) or max(c[0], d[0]) < min(a[0], b[0]):
        return False
    if max(a[1], b[1]) < min(c[1], d[1]) or max(c[1], d[1]) < min(a[1], b[1]):
        return False
    return not (_same_side(a, b, c, d) or _same_side(c, d, a, b))


def _same_side(a: Corner, b: Corner, c: Corner, d: Corner) -> bool:
    one, other = side(a, b, c), side(a, b, d)
    return (one > 0 and other > 0) or (one < 0 and other < 0)


# ---- stored and upright pictures


def upright_size(width: int, height: int, rotation: int) -> tuple[int, int]:
    """Width and height of a stored picture once a player has turned it clockwise by ``rotation`` degrees."""
    return (height, width) if rotation in (90, 270) else (width, height)


def upright_box(box: Box, width: float, height: float, rotation: int) -> Box:
    """A box of a stored picture of this size, xyxy, in the upright one; 360 less the rotation leads back."""
    x1, y1, x2, y2 = box
    if rotation == 90:
        return height - y2, x1, height - y1, x2
    if rotation == 180:
        return width - x2, height - y2, width - x1, height - y1
    if rotation == 270:
        return y1, width - x2, y2, width - x1
    return box


def upright_corners(drawn: Drawn, width: int, height: int, rotation: int) -> tuple[Corner, ...]:
    """The corners of a shape that was drawn on the stored picture of this size, in the upright one."""
    found = []
    for x, y in drawn.on(width, height):
        left, top, _, _ = upright_box((x, y, x, y), width, height, rotation)
        found.append((left, top))
    return tuple(found)
