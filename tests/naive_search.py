"""Slow twins of the search: every point of every track, in exact fractions, one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any

Corner = tuple[Fraction, Fraction]
#: from one instant and place to another: seconds and feet
Piece = tuple[Fraction, Corner, Fraction, Corner]


def foot(box: Sequence[float], width: int, height: int, rotation: int) -> Corner:
    """The middle of the side of a stored box that is the lower one once the picture is turned, kept in the picture."""
    left, top, right, bottom = map(Fraction, box)
    for _ in range(rotation // 90):  # a quarter turn clockwise: what was at the left is at the top
        left, top, right, bottom = height - bottom, left, height - top, right
        width, height = height, width
    x = min(max((left + right) / 2, Fraction(0)), Fraction(width))
    return x, min(max(bottom, Fraction(0)), Fraction(height))


def pieces(path: Sequence[Sequence[float]], width: int, height: int, rotation: int) -> list[Piece]:
    """A course of ``vidreview tracks --json`` as straight pieces; a lone point is one without length."""
    course = [(Fraction(at), foot(box, width, height, rotation)) for at, *box in path]
    if len(course) == 1:
        return [(*course[0], *course[0])]
    return [(*one, *other) for one, other in pairwise(course)]


def cut(piece: Piece, since: Fraction | None, until: Fraction | None) -> Piece | None:
    """What of a piece lies from ``since`` to ``until``, both included."""
    begin, end = piece[0], piece[2]
    low = begin if since is None else max(begin, since)
    high = end if until is None else min(end, until)
    return None if low > high else (low, at(piece, low), high, at(piece, high))


def at(piece: Piece, when: Fraction) -> Corner:
    """Where the foot is at an instant of a piece."""
    begin, (ax, ay), end, (bx, by) = piece
    share = Fraction(0) if end == begin else (when - begin) / (end - begin)
    return ax + (bx - ax) * share, ay + (by - ay) * share


def winding_inside(point: Corner, corners: Sequence[Corner]) -> bool:
    """By turns around the point, not by crossings; the edge is inside."""
    x, y = point
    turns = 0
    for (ax, ay), (bx, by) in zip(corners, [*corners[1:], corners[0]], strict=True):
        across = (bx - ax) * (y - ay) - (by - ay) * (x - ax)
        if across == 0 and min(ax, bx) <= x <= max(ax, bx) and min(ay, by) <= y <= max(ay, by):
            return True
        if ay <= y < by and across > 0:
            turns += 1
        elif by <= y < ay and across < 0:
            turns -= 1
    return turns != 0


def meeting(a: Corner, b: Corner, c: Corner, d: Corner) -> Iterator[Fraction]:
    """The shares of a–b at which it has a point in common with c–d."""
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = a, b, c, d
    across = (bx - ax) * (dy - cy) - (by - ay) * (dx - cx)
    if across:
        share = ((cx - ax) * (dy - cy) - (cy - ay) * (dx - cx)) / across
        other = ((cx - ax) * (by - ay) - (cy - ay) * (bx - ax)) / across
        if 0 <= share <= 1 and 0 <= other <= 1:
            yield share
    elif (bx - ax) * (cy - ay) == (by - ay) * (cx - ax) and a != b:
        for x, y in (c, d):  # on one line: where the ends of c–d lie on a–b
            share = (x - ax) / (bx - ax) if bx != ax else (y - ay) / (by - ay)
            if 0 <= share <= 1:
                yield share


def stays(piece: Piece, corners: Sequence[Corner]) -> list[tuple[Fraction, Fraction]]:
    """The shares of a piece, from and to, during which the foot is in a polygon; an instant is one too."""
    a, b = piece[1], piece[3]
    cuts = {Fraction(0), Fraction(1)}
    for c, d in zip(corners, [*corners[1:], corners[0]], strict=True):
        cuts.update(meeting(a, b, c, d))
    ordered = sorted(cuts)

    def within(share: Fraction) -> bool:
        return winding_inside((a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share), corners)

    found = [(share, share) for share in ordered if within(share)]
    found += [(one, other) for one, other in pairwise(ordered) if within((one + other) / 2)]
    return found


def visit(course: Sequence[Piece], corners: Sequence[Corner]) -> tuple[Fraction, Fraction, Fraction] | None:
    """When a course is in a polygon first and last, and how long in all; None when it never is."""
    first: Fraction | None = None
    last = total = Fraction(0)
    for piece in course:
        length = piece[2] - piece[0]
        for begin, end in stays(piece, corners):
            first = piece[0] + begin * length if first is None else min(first, piece[0] + begin * length)
            last = max(last, piece[0] + end * length)
            total += (end - begin) * length
    return None if first is None else (first, last, total)


def crossings(
    course: Sequence[Piece], line: Sequence[Corner], since: Fraction | None, until: Fraction | None
) -> set[str]:
    """The directions in which a course crosses a line during a span; what is on the line is to its right."""
    found = set()
    for piece in course:
        for (ax, ay), (bx, by) in pairwise(line):
            before, after = ((bx - ax) * (y - ay) - (by - ay) * (x - ax) < 0 for x, y in (piece[1], piece[3]))
            for share in meeting(piece[1], piece[3], (ax, ay), (bx, by)):
                when = piece[0] + share * (piece[2] - piece[0])
                if before != after and (since is None or when >= since) and (until is None or when <= until):
                    found.add("left-to-right" if before else "right-to-left")
    return found


def exact(corners: Sequence[tuple[float, float]]) -> list[Corner]:
    """Corners as fractions."""
    return [(Fraction(x), Fraction(y)) for x, y in corners]


def course_of(item: dict[str, Any], picture: tuple[int, int, int], query: Any) -> list[Piece]:
    """The course of a track of ``vidreview tracks --json`` during a query's stream time."""
    since = None if query.since_s is None else Fraction(query.since_s)
    until = None if query.until_s is None else Fraction(query.until_s)
    return [part for piece in pieces(item["path"], *picture) if (part := cut(piece, since, until)) is not None]
