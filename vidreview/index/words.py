"""A query in words, for a report or the line above a table: what was asked for, and nothing else."""

from __future__ import annotations

from typing import Final

from vidreview.clocks import SECOND, time_of
from vidreview.index.filters import ItemQuery, TrackQuery
from vidreview.shapes import Drawn

#: which of the bounds is said how: name, unit
_BOUNDS: Final = (
    ("duration_s", "in view", " s"),
    ("score", "score", ""),
    ("height", "height at its largest", " px"),
    ("width", "width at its widest", " px"),
    ("area", "area at its largest", " px²"),
    ("speed", "speed", " own heights per second"),
)


def filter_words(query: ItemQuery) -> list[str]:
    """Each filter as a phrase; empty when nothing is filtered."""
    said: list[str] = []
    for what, values in (
        ("class", query.classes),
        ("label", query.labels),
        ("exhibit", query.exhibits),
        ("camera", query.cameras),
        ("stream", query.streams),
        ("colour", query.colours),
        ("review", query.reviews),
    ):
        if values:
            said.append(f"{what} {' or '.join(str(one) for one in values)}")
    if query.numbers:
        said.append(f"{len(query.numbers)} chosen")
    said += _when(query)
    if query.regions:
        said.append(f"in region {' or '.join(map(_shape, query.regions))}")
    where = "there" if query.regions else "standing"
    bounds = [*_BOUNDS, ("dwell_s", where, " s")]
    for name, what, unit in bounds:
        least, most = getattr(query, f"min_{name}"), getattr(query, f"max_{name}")
        if least is not None or most is not None:
            said.append(f"{what} {_bounds(least, most)}{unit}")
    if query.crosses:
        how = "" if query.direction == "any" else f" from {query.direction.replace('-', ' ')}"
        said.append(f"crosses line {' or '.join(map(_shape, query.crosses))}{how}")
    if query.path:
        said.append(f"in region {query.path[0]}, later in {query.path[1]}")
    if query.headings:
        degrees = " or ".join(f"{one:g}°" for one in query.headings)
        said.append(f"heading {degrees} ± {query.heading_tolerance:g}° (clockwise from up in the picture)")
    if query.standing is not None:
        said.append("stood from first to last" if query.standing else "moved")
    if isinstance(query, TrackQuery) and query.with_dropped:
        said.append("with tracks that are part of no event")
    if query.limit is not None:
        said.append(f"the first {query.limit} by {query.order}")
    return said


def _when(query: ItemQuery) -> list[str]:
    said = []
    if query.since_s is not None or query.until_s is not None:
        said.append(f"stream time {_bounds(query.since_s, query.until_s, 'from', 'until')} s")
    if query.first_time is not None or query.last_time is not None:
        first, last = (None if one is None else _date(one) for one in (query.first_time, query.last_time))
        parts = ([f"from {first}"] if first else []) + ([f"until {last}"] if last else [])
        said.append(f"{query.by} time {' '.join(parts)}")
    if query.times_of_day:
        times = " or ".join(f"{_of_day(begin)} to {_of_day(end)}" for begin, end in query.times_of_day)
        said.append(f"{query.by} time of day {times}")
    return said


def _bounds(least: float | None, most: float | None, at_least: str = "at least", at_most: str = "at most") -> str:
    parts = ([f"{at_least} {least:g}"] if least is not None else []) + (
        [f"{at_most} {most:g}"] if most is not None else []
    )
    return " and ".join(parts) if at_least == "at least" else " ".join(parts)


def _date(time: int) -> str:
    return time_of(time).isoformat(sep=" ", timespec="microseconds" if time % SECOND else "seconds")


def _of_day(time: int) -> str:
    if time == 86400 * SECOND:
        return "24:00:00"
    return time_of(time).time().isoformat("microseconds" if time % SECOND else "seconds")


def _shape(shape: str | Drawn) -> str:
    return f"({shape.name})" if isinstance(shape, Drawn) else shape
