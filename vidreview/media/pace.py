"""What the timestamps of a stream say of its pace: segments, steps, the interval of a frame, the rate."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vidreview.media.timeline import CLOCK_STEP_S, GAP_S

#: Stands for "no timestamp" in arrays of ticks; FFmpeg uses the same value.
NO_PTS: Final = -(2**63)
#: Assumed where nothing says how long a frame stands for.
ASSUMED_INTERVAL: Final = Fraction(1, 25)


def find_segments(known: NDArray[np.int64], time_base: Fraction) -> list[NDArray[np.int64]]:
    """Places of the timestamps in presentation order, cut where they step back by more than reordering explains."""
    # reordering within a recording is a fraction of a second; 2 s leave room for one picture a second
    back = int(2 / time_base)
    if not len(known):
        return []
    cuts = []
    if (known < np.maximum.accumulate(known) - back).any():
        high = int(known[0])
        for index, pts in enumerate(known.tolist()):
            if pts < high - back:
                cuts.append(index)
                high = pts
            high = max(high, pts)
    parts = np.split(np.arange(len(known)), cuts)
    return [part[np.argsort(known[part], kind="stable")] for part in parts]


def find_steps(segments: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    return np.concatenate([np.diff(s) for s in segments]) if segments else np.zeros(0, np.int64)


def find_interval(
    ticks: NDArray[np.int64], steps: NDArray[np.int64], time_base: Fraction, declared: Fraction | None, timed: bool
) -> Fraction:
    """Seconds one frame ordinarily stands for: the median measured, else as declared, else assumed."""
    if timed:
        known = np.flatnonzero(ticks != NO_PTS)
        if len(known) < len(ticks) and len(known) > 1:
            # several frames lie between two timestamps: each takes its share
            rates = np.diff(ticks[known]) / np.diff(known)
            rates = rates[rates > 0]
            if len(rates):
                return max(1, round(float(np.median(rates)))) * time_base
        ahead = steps[(steps > 0) & (steps < int(CLOCK_STEP_S / time_base))]
        if len(ahead):
            return int(np.quantile(ahead, 0.5, method="lower")) * time_base
    return 1 / declared if declared else ASSUMED_INTERVAL


def _ordinary(steps: NDArray[np.int64], time_base: Fraction, interval: Fraction) -> NDArray[np.int64]:
    limit = int(max(Fraction(GAP_S), 4 * interval) / time_base)
    return steps[(steps > 0) & (steps <= limit)]


def find_rate(steps: NDArray[np.int64], time_base: Fraction, interval: Fraction, complete: bool) -> float | None:
    """Frames per second outside gaps."""
    if not complete:
        # the steps are between those frames that have a timestamp
        return float(1 / interval)
    ordinary = _ordinary(steps, time_base, interval)
    return float(len(ordinary) / (int(ordinary.sum()) * time_base)) if len(ordinary) else None


def rate_varies(steps: NDArray[np.int64], time_base: Fraction, interval: Fraction) -> bool:
    ordinary = _ordinary(steps, time_base, interval)
    rounding = max(1, int(Fraction(1, 500) / time_base))
    off = np.abs(ordinary - int(interval / time_base)) > rounding
    return bool(off.sum() > max(1, len(ordinary) // 100))


def find_skips(steps: NDArray[np.int64], one: int, time_base: Fraction) -> list[int]:
    """Numbers of the steps in which pictures are left out of a stream that is regular but for them.

    ``one`` is what a frame stands for, ticks. None where other steps differ by more than the container's rounding, or
    one in a hundred and more is longer: such a stream varies.
    """
    rounding = max(1, int(Fraction(1, 500) / time_base))
    off = np.abs(steps - one) > rounding
    long = np.flatnonzero(2 * steps > 3 * one)
    return long.tolist() if off.sum() == len(long) <= max(1, len(steps) // 100) else []
