"""Seconds with something of each class in view, hour by hour."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

CLASSES: Final = ("person", "vehicle", "motion")
HOUR: Final = 3600.0


def by_stream_hour(events: Sequence[dict[str, Any]], length_s: float) -> list[dict[str, Any]]:
    """For each hour of the stream ``{"hour", "person", "vehicle", "motion"}``, hours without anything too."""
    bins = _bins((event["class"], event["start_s"], event["end_s"]) for event in events)
    hours = range(max(1, int(-(-length_s // HOUR))) if length_s > 0 else 0)
    return [{"hour": hour} | _row(bins, hour) for hour in sorted({*hours, *(hour for _, hour in bins)})]


def by_clock_hour(events: Sequence[dict[str, Any]], segments: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same by the hours of the recorder's displayed clock, else of the corrected one; those with events only.

    ``hour`` is milliseconds since 1970 by that clock; ``segments`` are the stretches of the stream in which it is
    known. What of an event lies outside them is left out: nobody knows what the clock showed then.
    """
    bins: dict[tuple[str, int], float] = {}
    for segment in segments:
        began = segment["shown_ms"] if segment["shown_ms"] is not None else segment["corrected_ms"]
        if began is None:
            continue
        zero = began / 1000 - segment["start_s"]
        spans = []
        for event in events:
            start, end = max(event["start_s"], segment["start_s"]), min(event["end_s"], segment["end_s"])
            if start < end:
                spans.append((event["class"], start + zero, end + zero))
        # each stretch by itself: an hour that was shown twice holds the seconds of both
        for key, seconds in _bins(spans).items():
            bins[key] = bins.get(key, 0.0) + seconds
    return [{"hour": int(hour * HOUR * 1000)} | _row(bins, hour) for hour in sorted({hour for _, hour in bins})]


def _row(bins: dict[tuple[str, int], float], hour: int) -> dict[str, float]:
    return {name: round(bins.get((name, hour), 0.0), 3) for name in CLASSES}


def _bins(spans: Iterable[tuple[str, float, float]]) -> dict[tuple[str, int], float]:
    """(class, hour) → seconds covered; where events of one class overlap, a second counts once."""
    bins: dict[tuple[str, int], float] = {}
    reached: dict[str, float] = {}
    for name, start, end in sorted(spans):
        begin = max(start, reached.get(name, start))
        reached[name] = max(end, reached.get(name, end))
        while begin < end:
            hour = int(begin // HOUR)
            stop = min(end, (hour + 1) * HOUR)
            bins[name, hour] = bins.get((name, hour), 0.0) + stop - begin
            begin = stop
    return bins
