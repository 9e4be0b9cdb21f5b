"""When in each stream a wall clock may have shown what was asked for: spans of stream time (rules B2 to B5).

A stream's clock is a bound at each instant: it may have shown any time from ``value - uncertainty`` to ``value +
uncertainty``. An instant belongs to the span when one of those times was asked for, so what may lie in it is found;
two candidates of a repeated hour count if either does. Stream times are microseconds, as in ``vidreview.clocks``.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from vidreview.clocks import SECOND, StreamClock, Times

Span = tuple[int, int]
#: at one instant, the least and greatest time that each candidate may be; empty when unknown
Bounds = tuple[tuple[int, int], ...]

_DAY: Final = 86400 * SECOND
#: no piece is longer: the shortest repeated half hour cannot lie between a piece's ends and its middle
_PIECE: Final = 3600 * SECOND
#: a piece is straight when its middle is where its ends say, to so many microseconds; spans are so much wider
_STRAIGHT: Final = 500
#: a piece so short is not looked into
_SHORT: Final = 1000
#: pieces of one stream, at most; what is longer than two years is listed rather than left out
_MOST: Final = 20_000
_FAR: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class WallClock:
    """Which times of a wall clock are asked for; numbers as in ``vidreview.clocks``."""

    by: Literal["displayed", "corrected", "utc"] = "displayed"
    #: both included; None for no bound
    first: int | None = None
    last: int | None = None
    #: microseconds since midnight, both included, the second less than the first where midnight lies between
    daily: tuple[Span, ...] = ()

    def wanted(self, low: int, high: int) -> list[Span]:
        """What is asked for between two times, as spans that may overlap."""
        low = low if self.first is None else max(low, self.first)
        high = high if self.last is None else min(high, self.last)
        if low > high:
            return []
        if not self.daily:
            return [(low, high)]
        if high - low >= 2 * _DAY:  # such a bound holds every time of day
            return [(low, high)]
        found = []
        for day in range(low // _DAY - 1, high // _DAY + 1):
            for start, end in self.daily:
                begins = day * _DAY + start
                ends = day * _DAY + end + (_DAY if end < start else 0)
                if begins <= high and ends >= low:
                    found.append((max(low, begins), min(high, ends)))
        return found


@dataclass(frozen=True, slots=True)
class When:
    """Spans of a stream's time, in order, apart from each other."""

    #: the clock may have shown what was asked for
    matching: tuple[Span, ...]
    #: nobody knows what it showed
    unknown: tuple[Span, ...]


def when(clock: StreamClock | None, wall: WallClock, until: int) -> When:
    """The spans from 0 to ``until`` and beyond; an unknown clock leaves all of it unknown."""
    if clock is None:
        return When((), ((0, _FAR),))
    edges = sorted({0, until, *(edge for edge in clock.edges() if 0 < edge < until)})
    if until // _PIECE > _MOST:
        return When(((0, _FAR),), ())
    matching: list[Span] = []
    unknown: list[Span] = []
    for begin, end in zip(edges, [*edges[1:], until + 1], strict=True):
        for start in range(begin, end, _PIECE):
            _Pieces(clock, wall, matching, unknown).look(start, min(start + _PIECE, end) - 1)
    return When(_merged(matching, until), _merged(unknown, until))


class _Pieces:
    """Cuts a stretch of stream time into pieces on which the clock runs straight."""

    def __init__(self, clock: StreamClock, wall: WallClock, matching: list[Span], unknown: list[Span]) -> None:
        self._clock, self._wall, self._matching, self._unknown = clock, wall, matching, unknown

    def look(self, begin: int, end: int) -> None:
        """Add what of ``begin`` to ``end``, both included, matches or is unknown."""
        middle = (begin + end) // 2
        first, between, last = (self._bounds(at) for at in (begin, middle, end))
        straight = _straight(first, between, last)
        if not straight and end - begin > _SHORT:
            self.look(begin, middle)
            self.look(middle + 1, end)
            return
        if not (first and last):
            self._unknown.append((begin, end))
        if straight:
            for at, to in zip(first, last, strict=True):
                self._straight_piece(begin, end, at, to)
        elif self._any((*first, *last)):  # the clock jumps within a millisecond: what either side shows
            self._matching.append((begin, end))

    def _bounds(self, at: int) -> Bounds:
        times = self._clock.at(at)
        return tuple((value - by - _STRAIGHT, value + by + _STRAIGHT) for value, by in values(times, self._wall.by))

    def _any(self, bounds: Bounds) -> bool:
        return any(self._wall.wanted(low, high) for low, high in bounds)

    def _straight_piece(self, begin: int, end: int, at: tuple[int, int], to: tuple[int, int]) -> None:
        for low, high in self._wall.wanted(min(at[0], to[0]), max(at[1], to[1])):
            # the earliest time it may be must not be after the span, the latest not before it
            one = _until(begin, end, at[0] - high, to[0] - high)
            other = _until(begin, end, low - at[1], low - to[1])
            if one and other and max(one[0], other[0]) <= min(one[1], other[1]):
                self._matching.append((max(one[0], other[0]), min(one[1], other[1])))


def values(times: Times, by: str) -> list[tuple[int, int]]:
    """Each candidate for the time of an instant and its bound; none where it is unknown."""
    if by == "utc":
        return [(value, times.utc_uncertainty or 0) for value in times.utc]
    value, bound = {
        "displayed": (times.shown, times.shown_uncertainty),
        "corrected": (times.corrected, times.corrected_uncertainty),
    }[by]
    return [] if value is None else [(value, bound or 0)]


def _straight(first: Bounds, middle: Bounds, last: Bounds) -> bool:
    if not len(first) == len(middle) == len(last):
        return False
    return all(
        abs(2 * between[k] - at[k] - to[k]) <= 2 * _STRAIGHT
        for at, between, to in zip(first, middle, last, strict=True)
        for k in (0, 1)
    )


def _until(begin: int, end: int, at: int, to: int) -> Span | None:
    """The part of a piece where a straight line, ``at`` at its begin and ``to`` at its end, is not above 0."""
    if at <= 0 and to <= 0:
        return begin, end
    if at > 0 and to > 0:
        return None
    crossing = begin + (end - begin) * -at // (to - at)
    return (begin, min(end, crossing + 1)) if at <= 0 else (max(begin, crossing), end)


def _merged(spans: list[Span], until: int) -> tuple[Span, ...]:
    """Spans in order, joined where they touch; the last instant that was looked at stands for all after it."""
    merged: list[Span] = []
    for begin, end in sorted(spans):
        if merged and begin <= merged[-1][1] + 1:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((begin, end))
    if merged and merged[-1][1] >= until:
        merged[-1] = merged[-1][0], _FAR
    return tuple(merged)


def within(spans: Sequence[Span], begin: int, end: int) -> tuple[Span, ...]:
    """What of spans lies in one more."""
    return tuple((max(a, begin), min(b, end)) for a, b in spans if max(a, begin) <= min(b, end))


def holds(spans: Sequence[Span], begin: int, end: int) -> bool:
    """True when all of ``begin`` to ``end`` lies in one of the spans."""
    place = bisect_right(spans, (begin, _FAR)) - 1
    return place >= 0 and spans[place][0] <= begin and end <= spans[place][1]
