"""Which events or tracks to list: filters that become SQL over ``item``, its ``stream`` and its ``exhibit``.

What asks for an object's course (where, which way, how fast, how large, when by a wall clock) is answered by
``vidreview.index.search``: it gives the tracks, and an event is listed when one of its tracks is among them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from vidreview.index.looks import colour_clause
from vidreview.index.reviews import STATE
from vidreview.index.rows import storable
from vidreview.index.spans import WallClock
from vidreview.patterns import glob_of, matches
from vidreview.shapes import Drawn

#: what ``--order`` may be → SQL over events or tracks (``item``), their stream and exhibit
ORDERS: dict[str, str] = {
    "start": "exhibit.id, item.start_s, stream.number, item.id",
    "duration": "item.end_s - item.start_s DESC, exhibit.id, item.start_s, item.id",
    "score": "item.score IS NULL, item.score DESC, exhibit.id, item.start_s, item.id",
    "end": "exhibit.id, item.end_s, stream.number, item.id",
    "number": "item.id",
}
EVENT_ORDERS: dict[str, str] = ORDERS | {
    "peak": "exhibit.id, item.peak_s, stream.number, item.id",
    "count": "item.max_count DESC, exhibit.id, item.start_s, item.id",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemQuery:
    """Which events or tracks to list; what is left empty does not filter, and all that is given must hold.

    Of several values of one filter one must hold. Sizes, places and speeds are those of ``vidreview.index.courses``.
    """

    numbers: tuple[int, ...] = ()
    classes: tuple[str, ...] = ()
    #: car, truck, …: one of its tracks has this label
    labels: tuple[str, ...] = ()
    #: names, or patterns with * ? [ ]
    exhibits: tuple[str, ...] = ()
    #: names of cameras, or patterns
    cameras: tuple[str, ...] = ()
    #: indexes within the container
    streams: tuple[int, ...] = ()
    #: seconds on the stream's time line; what overlaps the span is listed
    since_s: float | None = None
    until_s: float | None = None
    #: of the wall clock that ``by`` names; numbers as in ``vidreview.clocks``, both included
    first_time: int | None = None
    last_time: int | None = None
    #: microseconds since midnight, both included; the second is less where midnight lies between
    times_of_day: tuple[tuple[int, int], ...] = ()
    by: Literal["displayed", "corrected", "utc"] = "displayed"
    min_duration_s: float | None = None
    max_duration_s: float | None = None
    #: seconds in one of ``regions`` in all; without a region, the longest that it stood
    min_dwell_s: float | None = None
    max_dwell_s: float | None = None
    #: what has no score (motion) is left out when one of these is given
    min_score: float | None = None
    max_score: float | None = None
    #: at its largest, pixels as a player shows the picture
    min_height: float | None = None
    max_height: float | None = None
    min_width: float | None = None
    max_width: float | None = None
    min_area: float | None = None
    max_area: float | None = None
    #: names of regions of ``regions.toml``, or polygons
    regions: tuple[str | Drawn, ...] = ()
    #: names of lines, or lines
    crosses: tuple[str | Drawn, ...] = ()
    direction: Literal["any", "left-to-right", "right-to-left"] = "any"
    #: names of regions: it was in the first, later in the second
    path: tuple[str, str] | None = None
    #: degrees clockwise from up, each give or take ``heading_tolerance``
    headings: tuple[float, ...] = ()
    heading_tolerance: float = 45.0
    #: own heights per second, the greatest over a second
    min_speed: float | None = None
    max_speed: float | None = None
    #: True: it stood from first to last; False: it did not
    standing: bool | None = None
    #: states of review
    reviews: tuple[str, ...] = ()
    #: read instead of ``regions.toml`` in the case folder
    regions_file: Path | None = None
    order: str = "start"
    limit: int | None = None
    #: "red", "upper:red": what shows one of these; see ``index.looks``
    colours: tuple[str, ...] = ()

    @property
    def wall(self) -> WallClock | None:
        """What is asked for of a wall clock."""
        if self.first_time is None and self.last_time is None and not self.times_of_day:
            return None
        return WallClock(self.by, self.first_time, self.last_time, self.times_of_day)

    @property
    def geometric(self) -> bool:
        """True when it asks for where in the picture an object was."""
        return bool(self.regions or self.crosses or self.path)

    @property
    def by_course(self) -> bool:
        """True when it asks for something of the tracks' courses."""
        return self.geometric or self.wall is not None or bool(self._of_courses()[0])

    @property
    def filters(self) -> bool:
        """True when something is left out of the list."""
        apart = {"order", "regions_file", "by", "direction", "heading_tolerance", "with_dropped"}
        return any(getattr(self, spec.name) != spec.default for spec in fields(self) if spec.name not in apart)

    def where(self, review_of: str = "item.id") -> tuple[str, list[Any]]:
        """What asks for the item itself as SQL, and its values; ``review_of`` is the number of its event in SQL."""
        clauses: list[str] = []
        values: list[Any] = []
        for column, wanted in (
            ("item.id", self.numbers),
            ("item.class", self.classes),
            ("stream.number", self.streams),
        ):
            if wanted:
                clauses.append(f"{column} IN (SELECT value FROM json_each(?))")
                values.append(json.dumps(wanted))
        if self.exhibits:
            clause, patterns = by_name(self.exhibits)
            clauses.append(clause)
            values += patterns
        if self.reviews:
            clauses.append(f"{STATE.format(event=review_of)} IN ({', '.join('?' * len(self.reviews))})")
            values += self.reviews
        for clause, bound in (
            ("item.end_s >= ?", self.since_s),
            ("item.start_s <= ?", self.until_s),
            ("item.end_s - item.start_s >= ?", self.min_duration_s),
            ("item.end_s - item.start_s <= ?", self.max_duration_s),
            ("item.score >= ?", self.min_score),
            ("item.score <= ?", self.max_score),
        ):
            if bound is not None:
                clauses.append(clause)
                values.append(bound)
        return " AND ".join(clauses) or "true", values

    def of_courses(self) -> tuple[str, list[Any]]:
        """What asks for a track's course (``c``), but for where and when, as SQL and its values."""
        clauses, values = self._of_courses()
        if self.classes:
            clauses.append(f"c.class IN ({', '.join('?' * len(self.classes))})")
            values += self.classes
        return " AND ".join(clauses) or "true", values

    def _of_courses(self) -> tuple[list[str], list[Any]]:
        clauses: list[str] = []
        values: list[Any] = []
        if self.labels:
            clauses.append(f"c.label IN ({', '.join('?' * len(self.labels))})")
            values += self.labels
        if self.standing is not None:
            clauses.append(f"c.stands = {int(self.standing)}")
        if self.colours:
            clause, given = colour_clause(self.colours)
            clauses.append(f"c.track IN ({clause})")
            values += given
        if self.headings:
            # the angle between two headings, whichever way round is shorter
            angle = "abs(abs(c.heading - ?) - 360 * (abs(c.heading - ?) > 180)) <= ?"
            clauses.append(f"({' OR '.join([angle] * len(self.headings))})")
            values += [value for one in self.headings for value in (one, one, self.heading_tolerance)]
        bounds: list[tuple[str, float | None, float | None]] = [
            ("height", self.min_height, self.max_height),
            ("width", self.min_width, self.max_width),
            ("area", self.min_area, self.max_area),
            ("speed", self.min_speed, self.max_speed),
        ]
        if not self.regions:
            bounds.append(("standing_s", self.min_dwell_s, self.max_dwell_s))
        for column, least, most in bounds:
            for sign, bound in ((">=", least), ("<=", most)):
                if bound is not None:
                    clauses.append(f"c.{column} {sign} ?")
                    values.append(bound)
        return clauses, values


@dataclass(frozen=True, slots=True, kw_only=True)
class EventQuery(ItemQuery):
    """Which events to list; of what asks for courses, all must hold of one of its tracks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackQuery(ItemQuery):
    """Which tracks to list."""

    #: list those that were dropped too (rule E4), with the reason
    with_dropped: bool = False

    def where(self, review_of: str = "") -> tuple[str, list[Any]]:
        """What asks for the track itself as SQL, and its values; its review is that of its event."""
        event = "(SELECT e.number FROM event_tracks m JOIN events e ON e.id = m.event WHERE m.track = item.row)"
        clause, values = super(TrackQuery, self).where(event)
        return (clause if self.with_dropped else f"{clause} AND item.dropped IS NULL"), values


def by_name(exhibits: Sequence[str]) -> tuple[str, list[Any]]:
    """SQL for exhibits of these names or patterns, all where none is given, and its values."""
    patterns = [storable(exhibit)[0] for exhibit in exhibits]
    clause = " OR ".join(["exhibit.name = ? OR exhibit.name GLOB ?"] * len(patterns))
    return f"({clause or 'true'})", [value for pattern in patterns for value in (pattern, glob_of(pattern))]


def matches_name(name: str, pattern: str) -> bool:
    """True when ``by_name`` would find an exhibit called ``name``."""
    shown, wanted = storable(name)[0], storable(pattern)[0]
    return shown == wanted or matches(shown, wanted)
