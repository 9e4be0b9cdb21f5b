"""Exact tests of courses against regions and lines, many courses at a time.

A course is the way of an object's foot, straight and even from one point to the next, so an object that is on one side
of a region on one frame and on the other on the next was in it. Regions include their edge.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vidreview.errors import CaseError
from vidreview.index.courses import GRID, Picture
from vidreview.index.spans import Span
from vidreview.shapes import Corner, segments_meet, side

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

#: in cells: a cell counts as wholly inside a region only with so much around it
_AROUND: Final = 1e-3
#: how a point lies in a blob: bytes before the seconds, and of the whole
_BEFORE, _WIDTH = 16, 46


@dataclass(frozen=True, slots=True)
class Ways:
    """Straight pieces of courses; a course of one point is a piece without length."""

    #: (n, 2) where each begins and ends, pixels of the upright picture
    start: Floats
    end: Floats
    #: (n,) seconds
    begins: Floats
    ends: Floats
    #: (n,) which course each is of, in order
    course: NDArray[np.int64]
    #: how many courses there are
    count: int


def ways(blobs: Sequence[bytes], picture: Picture) -> Ways:
    """The courses of tracks from their points as stored; raises CaseError when they are damaged."""
    boxes, seconds, counts = [], [], []
    for blob in blobs:
        times, box = _columns(blob)
        boxes.append(box)
        seconds.append(times)
        counts.append(len(times))
    lengths = np.array(counts, np.int64)
    times = np.concatenate(seconds) if seconds else np.zeros(0)
    feet = _feet(np.concatenate(boxes, axis=1) if boxes else np.zeros((4, 0)), picture)
    last = np.cumsum(lengths) - 1
    # a piece for each point but the last of its course, and one for a course of a single point
    begin = np.ones(len(times), bool)
    begin[last] = lengths == 1
    start = np.flatnonzero(begin)
    end = np.minimum(start + 1, np.repeat(last, lengths)[start])
    owner = np.repeat(np.arange(len(lengths)), lengths)[start]
    return Ways(feet[start], feet[end], times[start], times[end], owner, len(lengths))


def _columns(blob: bytes) -> tuple[Floats, Floats]:
    """Seconds and (4, n) box sides of a blob of ``points.pack``."""
    try:
        body = zlib.decompress(blob[1:]) if blob[:1] == b"\x01" else b""
        at = body.index(b"\n") + 1
        n, rest = divmod(len(body) - at, _WIDTH)
        if rest or not n:
            raise ValueError("its length does not fit")
        times = np.frombuffer(body, "<f8", n, at + _BEFORE * n)
        return times, np.frombuffer(body, "<f4", 4 * n, at + (_BEFORE + 8) * n).reshape(4, n).astype(float)
    except (ValueError, zlib.error) as error:
        raise CaseError(f"a track's points in case.db are damaged ({error}); run 'vidreview verify'") from error


def _feet(boxes: Floats, picture: Picture) -> Floats:
    """(n, 2) the middle of the lower side of stored boxes, (4, n), in the upright picture and inside it."""
    x1, y1, x2, y2 = boxes
    width, height = picture.upright
    stored = float(picture.width), float(picture.height)
    if picture.rotation == 90:
        x1, x2, y2 = stored[1] - y2, stored[1] - y1, x2
    elif picture.rotation == 180:
        x1, x2, y2 = stored[0] - x2, stored[0] - x1, stored[1] - y1
    elif picture.rotation == 270:
        x1, x2, y2 = y1, y2, stored[0] - x1
    return np.stack([np.clip((x1 + x2) / 2, 0, width), np.clip(y2, 0, height)], axis=1)


def clipped(found: Ways, span: tuple[float, float]) -> Ways:
    """What of the pieces lies in a span of seconds, both ends included."""
    kept = np.flatnonzero((found.begins <= span[1]) & (found.ends >= span[0]))
    start, end, begins, ends = found.start[kept], found.end[kept], found.begins[kept], found.ends[kept]
    length = ends - begins
    safe = np.where(length > 0, length, 1.0)
    low = np.where(begins < span[0], (span[0] - begins) / safe, 0.0)[:, None]
    high = np.where(ends > span[1], (span[1] - begins) / safe, 1.0)[:, None]
    way = end - start
    return Ways(
        np.where(low > 0, start + way * low, start),
        np.where(high < 1, start + way * high, end),
        np.maximum(begins, span[0]),
        np.minimum(ends, span[1]),
        found.course[kept],
        found.count,
    )


# ---- regions


def inside(points: Floats, corners: Sequence[Corner]) -> Flags:
    """(n,) which of (n, 2) points lie in a polygon or on its edge."""
    x, y = points[:, 0], points[:, 1]
    odd = np.zeros(len(points), bool)
    edge = np.zeros(len(points), bool)
    for (ax, ay), (bx, by) in zip(corners, [*corners[1:], corners[0]], strict=True):
        across = (bx - ax) * (y - ay) - (by - ay) * (x - ax)
        edge |= (across == 0) & (x >= min(ax, bx)) & (x <= max(ax, bx)) & (y >= min(ay, by)) & (y <= max(ay, by))
        if ay != by:
            upward = by > ay
            between = (y >= min(ay, by)) & (y < max(ay, by))
            odd ^= between & ((across > 0) if upward else (across < 0))
    return odd | edge


def _meetings(found: Ways, corners: Sequence[Corner], closed: bool) -> Floats:
    """(n, m) the share of each piece after which it meets each side of a shape, NaN where it does not."""
    sides = list(zip(corners, [*corners[1:], *([corners[0]] if closed else [])], strict=False))
    result = np.full((len(found.course), len(sides)), np.nan)
    way = found.end - found.start
    for k, ((ax, ay), (bx, by)) in enumerate(sides):
        dx, dy = bx - ax, by - ay
        across = way[:, 0] * dy - way[:, 1] * dx
        to_x, to_y = ax - found.start[:, 0], ay - found.start[:, 1]
        with np.errstate(divide="ignore", invalid="ignore"):
            along = (to_x * dy - to_y * dx) / across
            on_side = (to_x * way[:, 1] - to_y * way[:, 0]) / across
        meets = (across != 0) & (along >= 0) & (along <= 1) & (on_side >= 0) & (on_side <= 1)
        result[meets, k] = along[meets]
    return result


def _shares(found: Ways, corners: Sequence[Corner]) -> Floats:
    """As ``_meetings`` of a polygon's sides, with two columns more: 0 and 1 where a piece begins and ends inside."""
    ends = [
        np.where(inside(found.start, corners), 0.0, np.nan)[:, None],
        np.where(inside(found.end, corners), 1.0, np.nan)[:, None],
    ]
    return np.concatenate([*ends, _meetings(found, corners, closed=True)], axis=1)


def visits(found: Ways, corners: Sequence[Corner]) -> Flags:
    """Which courses lead through a polygon."""
    met = np.asarray(np.isfinite(_shares(found, corners)).any(axis=1))
    return _any(found, met)


def first_and_last(found: Ways, corners: Sequence[Corner]) -> tuple[Floats, Floats]:
    """When each course was in a polygon first and last, seconds; inf and -inf where it never was."""
    first, last = np.full(found.count, np.inf), np.full(found.count, -np.inf)
    shares = _shares(found, corners)
    kept = np.flatnonzero(~np.isnan(shares).all(axis=1))
    length = found.ends - found.begins
    low = found.begins[kept] + np.nanmin(shares[kept], axis=1) * length[kept] if len(kept) else np.zeros(0)
    high = found.begins[kept] + np.nanmax(shares[kept], axis=1) * length[kept] if len(kept) else np.zeros(0)
    np.minimum.at(first, found.course[kept], low)
    np.maximum.at(last, found.course[kept], high)
    return first, last


def dwell(found: Ways, corners: Sequence[Corner]) -> Floats:
    """How long each course was in a polygon, seconds in all."""
    meetings = _meetings(found, corners, closed=True)
    ends = np.tile([0.0, 1.0], (len(found.course), 1))
    cuts = np.sort(np.concatenate([ends, np.where(np.isnan(meetings), 1.0, meetings)], axis=1), axis=1)
    way = found.end - found.start
    share = np.zeros(len(found.course))
    for k in range(cuts.shape[1] - 1):
        middle = (cuts[:, k] + cuts[:, k + 1]) / 2
        within = inside(found.start + way * middle[:, None], corners)
        share += np.where(within, cuts[:, k + 1] - cuts[:, k], 0.0)
    seconds: Floats = np.bincount(found.course, share * (found.ends - found.begins), minlength=found.count).astype(
        float
    )
    return seconds


def beside(extents: Floats, corners: Sequence[Corner], closed: bool) -> Flags:
    """(n,) which of (n, 4) rectangles, left, top, right and bottom, certainly meet no side of a shape."""
    left, top, right, bottom = extents.T
    apart = np.ones(len(extents), bool)
    for a, b in zip(corners, [*corners[1:], *([corners[0]] if closed else [])], strict=False):
        outside = (right < min(a[0], b[0])) | (left > max(a[0], b[0]))
        outside |= (bottom < min(a[1], b[1])) | (top > max(a[1], b[1]))
        sides = [_side(np.stack([x, y], axis=1), a, b) for x in (left, right) for y in (top, bottom)]
        # a corner exactly on the line is met by it; a hair beside it may be, since this is reckoned in floats
        slack = 1e-9 * (abs(b[0] - a[0]) + abs(b[1] - a[1])) * (1 + np.abs(extents).max(axis=1))
        apart &= outside | (np.min(sides, axis=0) > slack) | (np.max(sides, axis=0) < -slack)
    return apart


# ---- lines


def crossings(found: Ways, points: Sequence[Corner], spans: Sequence[tuple[float, float]]) -> tuple[Flags, Flags]:
    """Which courses cross a line during the spans: from its left to its right, and from right to left.

    Left and right are those of one who walks along the line from its first point; what is on the line is to its right.
    """
    meetings = _meetings(found, points, closed=False)
    rightwards, leftwards = np.zeros(len(found.course), bool), np.zeros(len(found.course), bool)
    for k, (a, b) in enumerate(pairwise(points)):
        left_before, left_after = _left(found.start, a, b), _left(found.end, a, b)
        at = found.begins + meetings[:, k] * (found.ends - found.begins)
        crossed = ~np.isnan(at) & _during(at, spans)
        rightwards |= crossed & left_before & ~left_after
        leftwards |= crossed & ~left_before & left_after
    return _any(found, rightwards), _any(found, leftwards)


def _left(points: Floats, a: Corner, b: Corner) -> Flags:
    left: Flags = _side(points, a, b) < 0
    return left


def _side(points: Floats, a: Corner, b: Corner) -> Floats:
    """As ``shapes.side``, of (n, 2) points."""
    return (b[0] - a[0]) * (points[:, 1] - a[1]) - (b[1] - a[1]) * (points[:, 0] - a[0])


def _during(at: Floats, spans: Sequence[tuple[float, float]]) -> Flags:
    found = np.zeros(len(at), bool)
    for begin, end in spans:
        found |= (at >= begin) & (at <= end)
    return found


def _any(found: Ways, pieces: Flags) -> Flags:
    return np.bincount(found.course[pieces], minlength=found.count) > 0


def in_seconds(spans: Sequence[Span]) -> list[tuple[float, float]]:
    """Spans of microseconds as seconds; half a microsecond wider, as stream times are rounded to one."""
    return [((begin - 0.5) / 1e6, (end + 0.5) / 1e6) for begin, end in spans]


# ---- the grid


def region_cells(corners: Sequence[Corner], picture: Picture) -> tuple[int, int]:
    """Cells that a polygon touches, and those that lie wholly in it; a bit for each as in ``courses``."""
    touched = whole = 0
    for bit, rectangle in _rectangles(picture):
        centre = np.array([[(rectangle[0][0] + rectangle[2][0]) / 2, (rectangle[0][1] + rectangle[2][1]) / 2]])
        met = _meet(rectangle, corners, closed=True)
        if met or inside(centre, corners)[0]:
            touched |= bit
            whole |= 0 if met else bit
    return touched, whole


def line_cells(points: Sequence[Corner], picture: Picture) -> int:
    """Cells that a line touches."""
    return sum(bit for bit, rectangle in _rectangles(picture) if _meet(rectangle, points, closed=False))


def _rectangles(picture: Picture) -> Iterator[tuple[int, tuple[Corner, ...]]]:
    """Each cell's bit and corners, ``_AROUND`` larger on each side."""
    width, height = picture.upright
    for row in range(GRID):
        top, bottom = ((row - _AROUND) * height / GRID, (row + 1 + _AROUND) * height / GRID)
        for column in range(GRID):
            left, right = ((column - _AROUND) * width / GRID, (column + 1 + _AROUND) * width / GRID)
            corners = ((left, top), (right, top), (right, bottom), (left, bottom))
            yield 1 << row * GRID + column, corners


def _meet(rectangle: Sequence[Corner], corners: Sequence[Corner], closed: bool) -> bool:
    """True when a side of a shape has a point in a rectangle."""
    (left, top), (right, bottom) = rectangle[0], rectangle[2]
    for a, b in zip(corners, [*corners[1:], *([corners[0]] if closed else [])], strict=False):
        if left <= a[0] <= right and top <= a[1] <= bottom:
            return True
        if max(a[0], b[0]) < left or min(a[0], b[0]) > right or max(a[1], b[1]) < top or min(a[1], b[1]) > bottom:
            continue
        sides = [side(a, b, corner) for corner in rectangle]
        if min(sides) > 0 or max(sides) < 0:
            continue
        if any(segments_meet(a, b, rectangle[k], rectangle[(k + 1) % 4]) for k in range(4)):
            return True
    return False
