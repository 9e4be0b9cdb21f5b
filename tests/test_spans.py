"""When a stream's clock may have shown what is asked for: spans against the clock itself, instant by instant."""

from __future__ import annotations

import random

import pytest

from vidreview.clocks import SECOND, Check, Correction, Reading, StreamClock, Zone, wall_clock
from vidreview.index.spans import WallClock, holds, values, when, within

DAY = 86400 * SECOND
HOUR = 3600 * SECOND


def number(text: str) -> int:
    from datetime import datetime

    return wall_clock(datetime.fromisoformat(text))


def reading(at: int, shown: str, uncertainty: int = SECOND) -> Reading:
    return Reading(f"C{at}", at, number(shown), uncertainty)


def check(shown: str, reference: str, uncertainty: int) -> Check:
    return Check("K", number(shown), number(reference), True, uncertainty, "GPS")


LONDON, NOWHERE = Zone("Europe/London"), Zone(None)
CLOCKS = {
    "plain": StreamClock([reading(0, "2024-01-15T21:00:00")], Correction(NOWHERE, [])),
    "two readings": StreamClock(
        [reading(0, "2024-01-15T21:00:00"), reading(9 * HOUR, "2024-01-16T06:00:20", 3 * SECOND)],
        Correction(LONDON, []),
    ),
    "the clocks go back": StreamClock(
        [reading(HOUR, "2024-10-26T22:10:00")],
        Correction(LONDON, [check("2024-10-20T12:02:00", "2024-10-20T11:00:00", SECOND)]),
    ),
    "the clocks go forward": StreamClock(
        [reading(HOUR, "2024-03-30T22:10:00")],
        Correction(LONDON, [check("2024-03-20T11:58:00", "2024-03-20T12:00:00", 2 * SECOND)]),
    ),
    "drift": StreamClock(
        [reading(0, "2024-01-15T12:00:00")],
        Correction(
            LONDON,
            [
                check("2024-01-15T14:00:00", "2024-01-15T14:00:30", SECOND),
                check("2024-01-15T20:00:00", "2024-01-15T20:05:00", 40 * SECOND),
                check("2024-01-16T08:00:00", "2024-01-16T08:05:01", SECOND),
            ],
        ),
    ),
    "breaks": StreamClock(
        [reading(0, "2024-01-15T21:00:00"), reading(6 * HOUR, "2024-01-17T02:30:00")],
        Correction(LONDON, []),
        [4 * HOUR, 5 * HOUR],
        20 * HOUR,
    ),
    "counted": StreamClock([reading(2 * HOUR, "2024-01-15T21:00:00")], Correction(NOWHERE, []), counted=True),
}


def may_show(clock: StreamClock, wall: WallClock, at: int) -> bool | None:
    """By the clock itself, in whole seconds of what it may have shown; None when unknown."""
    found = values(clock.at(at), wall.by)
    return any(wanted(wall, value - by, value + by) for value, by in found) if found else None


def wanted(wall: WallClock, low: int, high: int) -> bool:
    """Written apart from ``WallClock.wanted``: every time of day that begins within the bound, or holds its begin."""
    low = low if wall.first is None else max(low, wall.first)
    high = high if wall.last is None else min(high, wall.last)
    if low > high:
        return False
    if not wall.daily:
        return True
    for start, end in wall.daily:
        at = low % DAY
        if start <= at <= end if start <= end else (at >= start or at <= end):
            return True
        if low + (start - at) % DAY <= high:
            return True
    return False


WALLS = [
    ((None, None), ((22 * HOUR, 6 * HOUR),)),
    ((None, None), ((1 * HOUR, 2 * HOUR), (12 * HOUR, 12 * HOUR + 60 * SECOND))),
    (("2024-01-15T22:00:00", "2024-01-16T01:30:00"), ()),
    (("2024-10-27T00:30:00", None), ((1 * HOUR, 1 * HOUR + 1800 * SECOND),)),
    ((None, "2024-03-31T02:10:00"), ()),
]


@pytest.mark.parametrize("by", ["displayed", "corrected", "utc"])
@pytest.mark.parametrize("name", CLOCKS)
def test_an_instant_is_in_a_span_when_the_clock_may_have_shown_what_is_asked_for(name: str, by: str) -> None:
    """Rules B2, B4 and B5: to a millisecond, and never too little; what is unknown is in spans of its own."""
    clock, until = CLOCKS[name], 26 * HOUR
    seed = random.Random(name + by)
    for (first, last), daily in WALLS:
        wall = WallClock(by, first and number(first), last and number(last), daily)  # type: ignore[arg-type]
        found = when(clock, wall, until)
        for at in [seed.randrange(until) for _ in range(150)]:
            told = may_show(clock, wall, at)
            inside = holds(found.matching, at, at)
            assert holds(found.unknown, at, at) == (told is None), at
            assert inside or not told, (at, "was left out")
            near = [may_show(clock, wall, max(0, at + by_how_much * 1000)) for by_how_much in range(-3, 4)]
            assert not inside or any(near), (at, "was found, and the clock showed something else")
        for begin, end in found.matching:
            assert may_show(clock, wall, begin) or may_show(clock, wall, begin + 2000), (
                "no wider than a millisecond or two"
            )
            assert end > until or may_show(clock, wall, end) or may_show(clock, wall, end - 2000)


def test_a_stream_without_a_clock_is_unknown_throughout() -> None:
    found = when(None, WallClock(first=0), 10 * SECOND)
    assert found.matching == ()
    assert holds(found.unknown, 0, 10**15)


def test_the_last_instant_stands_for_what_comes_after() -> None:
    """A stream may turn out longer than its container says."""
    found = when(CLOCKS["plain"], WallClock(first=number("2024-01-15T21:30:00")), HOUR)
    ((begin, end),) = found.matching
    assert begin == pytest.approx(1799 * SECOND, abs=2000)
    assert end > 10**15


def test_spans_are_cut_and_never_turned_round() -> None:
    assert within(((0, 5), (8, 9)), 3, 8) == ((3, 5), (8, 8))
    assert within(((0, 5),), 4, 2) == ()
