"""A stream on the wall clock: where it begins by each clock, and where those clocks were set (rules B2 to B5)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from vidreview.index.clocks import CaseClocks, Recorder
from vidreview.index.clockwords import follows

#: seconds between looks at the clocks; what changes between two is then found to the second
_LOOK_S: Final = 3600.0
#: milliseconds by which a clock may drift between two looks without having been set
_DRIFT_MS: Final = 60_000
#: problems of timestamps, after which a clock may show another time
_BREAKS: Final = ("reset", "clock-step")
_FIELDS: Final = ("shown_ms", "corrected_ms", "utc_ms")


def clock_facts(
    clocks: CaseClocks,
    row: int,
    name: str,
    number: int,
    length_s: float,
    problems: Sequence[dict[str, Any]],
) -> dict[str, Any]:
    """The report's ``clock`` of a stream: ``row`` in the index, ``number`` within the exhibit called ``name``."""
    breaks = sorted(p["at_s"] for p in problems if p["kind"] in _BREAKS and p["at_s"] is not None)
    segments = list(_segments(clocks, row, length_s, breaks))
    known = [one for one in segments if any(one[field] is not None for field in _FIELDS)]
    first = clocks.times(row, 0.0, 0.0)
    bounds = [first[f"{which}_uncertainty_s"] for which in ("shown", "corrected", "utc")]
    start = _instants(first)
    return {
        "known": bool(known),
        "words": _words(clocks, name, number, first["time_source"], bool(known)),
        "shown_start_ms": start["shown_ms"],
        "corrected_start_ms": start["corrected_ms"],
        "utc_start_ms": start["utc_ms"],
        "uncertainty_s": max((bound for bound in bounds if bound is not None), default=None),
        "steps": sorted(_steps(segments, problems), key=lambda step: float(step["at_s"])),
        "segments": known,
    }


def milliseconds(iso: str | None) -> int | None:
    """ISO 8601 as milliseconds since 1970 of the clock it belongs to."""
    if iso is None:
        return None
    moment = datetime.fromisoformat(iso.removesuffix("Z")).replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)


def _instants(times: dict[str, Any]) -> dict[str, int | None]:
    found = (times["start_shown"], times["start_corrected"], times["start_utc"])
    return {field: milliseconds(iso) for field, iso in zip(_FIELDS, found, strict=True)}


def _segments(clocks: CaseClocks, row: int, length_s: float, breaks: Sequence[float]) -> Iterator[dict[str, Any]]:
    """Stretches within which every clock runs evenly."""
    edges = [0.0, *(at for at in breaks if 0 < at < length_s), length_s]
    for begin, end in itertools.pairwise(edges):
        at = begin
        while at < end:
            stop = _even_until(clocks, row, at, end)
            yield {"start_s": round(at, 6), "end_s": round(stop, 6)} | _instants(clocks.times(row, at, at))
            at = stop


def _even_until(clocks: CaseClocks, row: int, at: float, end: float) -> float:
    """How far from ``at`` the clocks run evenly, at most to ``end``, to the second."""
    zero = _instants(clocks.times(row, at, at))

    def even(seconds: float) -> bool:
        now = _instants(clocks.times(row, seconds, seconds))
        for field in _FIELDS:
            before, after = zero[field], now[field]
            if (before is None) != (after is None):
                return False
            if before is not None and after is not None and abs(after - before - (seconds - at) * 1000) > _DRIFT_MS:
                return False
        return True

    low = at
    while low < end:
        high = min(end, low + _LOOK_S)
        probe = min(high, end - 1e-3) if high == end else high  # at the end of a segment the next one begins
        if probe > low and not even(probe):
            while probe - low > 1:
                middle = (low + probe) / 2
                low, probe = (middle, probe) if even(middle) else (low, middle)
            return max(probe, at + 1e-3)
        low = high
    return end


def _steps(segments: Sequence[dict[str, Any]], problems: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Where a clock changes within the stream, in words."""
    for problem in problems:
        if problem["kind"] in _BREAKS and problem["at_s"] is not None:
            yield {"at_s": problem["at_s"], "words": problem["reason"]}
    told = {problem["at_s"] for problem in problems if problem["kind"] in _BREAKS}
    for before, after in itertools.pairwise(segments):
        if any(at is not None and abs(at - after["start_s"]) < 1e-3 for at in told):
            continue
        if before["shown_ms"] is None or after["shown_ms"] is None:
            yield {"at_s": after["start_s"], "words": "from here on other clocks are known than before"}
            continue
        passed = (after["start_s"] - before["start_s"]) * 1000
        moved = (after["shown_ms"] - before["shown_ms"] - passed) / 1000
        way = "ahead" if moved > 0 else "back"
        yield {"at_s": after["start_s"], "words": f"the displayed time goes {way} by {abs(moved):g} s (clock change)"}


def _words(clocks: CaseClocks, name: str, number: int, source: str | None, known: bool) -> list[str]:
    recorder = _recorder(clocks, name)
    if recorder is None:
        return ["The recorder's clock is unknown: nobody recorded what it showed. Times are stream time only."]
    others = {
        f"{exhibit} stream {stream}: " for exhibit, stream in recorder.clocks if (exhibit, stream) != (name, number)
    }
    lines = [line for line in follows(recorder) if not any(line.startswith(other) for other in others)]
    if source:
        lines.append(f"At the stream's beginning: {source}")
    elif known:
        lines.append("At the stream's beginning the clock is unknown; it is known further on")
    return [line[:1].upper() + line[1:] + "." for line in lines]


def _recorder(clocks: CaseClocks, name: str) -> Recorder | None:
    return next((recorder for recorder in clocks.recorders if name in recorder.exhibits), None)
