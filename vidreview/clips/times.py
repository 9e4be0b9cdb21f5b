"""Times of a copy: the exhibit's, frame for frame, in ticks that an MP4 file can hold."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import gcd
from typing import Final

from vidreview.errors import MediaError

#: what FFmpeg's MP4 writer takes as a step from one picture to the next, and as a time scale
MOST: Final = 2**31 - 1
#: a step ahead beyond this is a clock that was set, not a recorder that waited: 31 days
CLOCK_STEP_S: Final = 31 * 86400
#: a step back of at most so many frames is disorder within one recording, a longer one is another recording
DISORDER: Final = 8
#: a pause is a gap when it is longer than so many seconds and so many frames
GAP_S: Final = 1
GAP: Final = 4
#: missing timestamps lie between their neighbours unless those are further apart than so many intervals each
_PACE: Final = 4
NO_TIME: Final = "the exhibit gives no timestamp: between its neighbours, or by the rate of the stream"
ALONE: Final = "the exhibit's timestamp stands alone against its neighbours: taken as missing"
ORDERLESS: Final = "the exhibit's timestamps tell only the order of decoding: given out anew in the order shown"
#: counts that are tried where the exhibit's own does not fit, per second
_COARSER: Final = (90_000, 12_800, 10_000, 1_000)


@dataclass(frozen=True, slots=True)
class Times:
    """When each picture of a copy is shown."""

    #: ticks of the exhibit from the first picture on; they always rise
    offsets: tuple[int, ...]
    #: pictures whose offset is not the difference of the exhibit's PTS, and why
    made: dict[int, str]
    #: ticks of the copy a second, and each picture's in them
    scale: int
    ticks: tuple[int, ...]
    #: of the last picture, and of what it stands for
    last: int
    #: largest difference between a tick of the copy and the exact time, seconds; 0 where all are exact
    rounding_s: Fraction


def lay(
    ticks: Sequence[int | None],
    base: Fraction,
    interval: int,
    around: tuple[Sequence[int | None], Sequence[int | None]] = ((), ()),
) -> Times:
    """Lay pictures on one rising line that begins at 0, by their PTS where the exhibit gives one.

    ``ticks`` are in the exhibit's time ``base``, in the order in which the pictures are shown, and ``around`` those of
    pictures before and after; ``interval`` is what one ordinarily stands for.
    Raises MediaError when no MP4 file can hold the times.
    """
    before, after = around
    every, how_every = _filled([*before, *ticks, *after], base, interval)
    inside = range(len(before), len(before) + len(ticks))
    known = every[inside.start : inside.stop]
    made = {k - inside.start: how for k, how in how_every.items() if k in inside}
    following = every[inside.stop] - known[-1] if after else interval
    offsets = [0]
    shift = -known[0]
    disorder, leap = DISORDER * interval, int(CLOCK_STEP_S / base)
    high = known[0]
    for k in range(1, len(known)):
        step = known[k] - high
        if step < -disorder or step > leap:
            place = offsets[-1] + interval
            shift = place - known[k]
            high = known[k]
            how = "back" if step < 0 else "ahead"
            made[k] = f"the exhibit's timestamps step {how} here: one frame interval after the frame before"
        else:
            place, high = known[k] + shift, max(high, known[k])
            if place <= offsets[-1]:
                place = offsets[-1] + 1
                made[k] = "the exhibit's timestamp does not rise here: one tick after the frame before"
        offsets.append(place)
    length = max(1, min(following if following > 0 else interval, max(int(GAP_S / base), GAP * interval)))
    scale, rounding = _scale([*offsets, offsets[-1] + length], base)
    placed = _placed(offsets, base, scale)
    last = max(1, round(length * base * scale))
    if rounding:
        rounding = max(
            abs(tick * Fraction(1, scale) - offset * base) for tick, offset in zip(placed, offsets, strict=True)
        )
    return Times(tuple(offsets), made, scale, tuple(placed), last, rounding)


def _filled(ticks: Sequence[int | None], base: Fraction, interval: int) -> tuple[list[int], dict[int, str]]:
    """A tick for each picture: between its neighbours where it has none, at the ordinary pace where they have none."""
    ticks, orderless = _in_order(ticks, interval)
    made = {k: NO_TIME for k, tick in enumerate(ticks) if tick is None} | dict.fromkeys(orderless, ORDERLESS)
    places = [k for k, tick in enumerate(ticks) if tick is not None]
    made |= dict.fromkeys(_alone(ticks, base, interval), ALONE)
    places = [k for k in places if made.get(k) != ALONE]
    if not places:
        return [k * interval for k in range(len(ticks))], made
    filled = [0 if tick is None else tick for tick in ticks]
    for k in sorted(set(range(len(ticks))) - set(places)):
        at = bisect_left(places, k)
        if at == 0:
            filled[k] = filled[places[0]] - (places[0] - k) * interval
            continue
        before, after = places[at - 1], places[at] if at < len(places) else None
        if after is None or not 0 < filled[after] - filled[before] <= _PACE * interval * (after - before):
            filled[k] = filled[before] + (k - before) * interval
        else:
            filled[k] = filled[before] + (filled[after] - filled[before]) * (k - before) // (after - before)
    return filled, made


def _in_order(ticks: Sequence[int | None], interval: int) -> tuple[Sequence[int | None], list[int]]:
    """Ticks given out anew where they only tell the order of decoding, as an AVI's do; second, whose were altered."""
    known = [tick for tick in ticks if tick is not None]
    if len(known) < len(ticks) or known == (rising := sorted(known)):
        return ticks, []
    moved = [k for k, (own, other) in enumerate(zip(known, rising, strict=True)) if own != other]
    if any(abs(known[k] - rising[k]) > DISORDER * interval for k in moved):
        return ticks, []  # another recording begins within
    return rising, moved


def _alone(ticks: Sequence[int | None], base: Fraction, interval: int) -> Iterator[int]:
    """Pictures whose timestamp is far from two neighbours that follow each other: not believed, as in a scan."""
    gap = max(int(GAP_S / base), GAP * interval)
    before: int | None = None
    for k, (tick, after) in enumerate(zip(ticks, [*ticks[1:], None], strict=True)):
        if tick is None:
            continue
        ordinary = before is None or -DISORDER * interval <= tick - before <= gap
        if not ordinary and before is not None and after is not None and 0 < after - before <= gap:
            yield k
        else:
            before = tick


def _scale(offsets: Sequence[int], base: Fraction) -> tuple[int, Fraction]:
    """Ticks a second for a copy: the exhibit's where they fit, else as few as keep every time exact, else coarser ones.

    Second, anything but 0 where times are rounded.
    """
    steps = [b - a for a, b in pairwise(offsets)]
    exact = (base.denominator, (base * gcd(*steps)).denominator)
    for scale in (*exact, *_COARSER):
        # what is rounded may step by one more
        if scale <= MOST and max(steps) * base * scale < MOST:
            return scale, Fraction(0) if scale in exact else Fraction(1, scale)
    longest = float(max(steps) * base)
    raise MediaError(f"an MP4 file cannot hold a pause of {longest:.0f} s between two frames; use the evidential clip")


def _placed(offsets: Sequence[int], base: Fraction, scale: int) -> list[int]:
    """Ticks of the copy, rounded where they must be; they rise all the same."""
    placed: list[int] = []
    for offset in offsets:
        tick = round(offset * base * scale)
        placed.append(tick if not placed or tick > placed[-1] else placed[-1] + 1)
    return placed
