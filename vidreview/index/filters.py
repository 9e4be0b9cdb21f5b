"""Which events or tracks to list: filters that become SQL over ``item``, its ``stream`` and its ``exhibit``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from vidreview.index.looks import colour_clause
from vidreview.index.rows import storable

#: what ``--order`` may be → SQL over events or tracks (``item``), their stream and exhibit
ORDERS: dict[str, str] = {
    "start": "exhibit.id, item.start_s, stream.number, item.id",
    "duration": "item.end_s - item.start_s DESC, exhibit.id, item.start_s, item.id",
    "score": "item.score IS NULL, item.score DESC, exhibit.id, item.start_s, item.id",
}
EVENT_ORDERS: dict[str, str] = ORDERS | {
    "peak": "exhibit.id, item.peak_s, stream.number, item.id",
    "count": "item.max_count DESC, exhibit.id, item.start_s, item.id",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemQuery:
    """Which events or tracks to list; what is left empty does not filter."""

    numbers: tuple[int, ...] = ()
    classes: tuple[str, ...] = ()
    #: names, or patterns with * ? [ ]
    exhibits: tuple[str, ...] = ()
    #: indexes within the container
    streams: tuple[int, ...] = ()
    #: seconds on the stream's time line; what overlaps the span is listed
    since_s: float | None = None
    until_s: float | None = None
    min_duration_s: float | None = None
    #: what has no score (motion) is left out when this is given
    min_score: float | None = None
    order: str = "start"
    limit: int | None = None
    #: "red", "upper:red": what shows one of these; see ``index.looks``
    colours: tuple[str, ...] = ()

    def where(self) -> tuple[str, list[Any]]:
        """The filter as SQL and its values."""
        clauses: list[str] = []
        values: list[Any] = []

        def add(clause: str, *given: Any) -> None:
            clauses.append(clause)
            values.extend(given)

        for column, wanted in (
            ("item.id", self.numbers),
            ("item.class", self.classes),
            ("stream.number", self.streams),
        ):
            if wanted:
                add(f"{column} IN ({', '.join('?' * len(wanted))})", *wanted)
        if self.exhibits:
            clause, patterns = by_name(self.exhibits)
            add(clause, *patterns)
        for clause, bound in (
            ("item.end_s >= ?", self.since_s),
            ("item.start_s <= ?", self.until_s),
            ("item.end_s - item.start_s >= ?", self.min_duration_s),
            ("item.score >= ?", self.min_score),
        ):
            if bound is not None:
                add(clause, bound)
        if self.colours:
            clause, given = colour_clause(self.colours, of_events=isinstance(self, EventQuery))
            add(clause, *given)
        return " AND ".join(clauses) or "true", values


@dataclass(frozen=True, slots=True, kw_only=True)
class EventQuery(ItemQuery):
    """Which events to list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackQuery(ItemQuery):
    """Which tracks to list."""

    #: list those that were dropped too (rule E4), with the reason
    with_dropped: bool = False

    def where(self) -> tuple[str, list[Any]]:
        """The filter as SQL and its values."""
        clause, values = super(TrackQuery, self).where()
        return (clause if self.with_dropped else f"{clause} AND item.dropped IS NULL"), values


def by_name(exhibits: Sequence[str]) -> tuple[str, list[Any]]:
    """SQL for exhibits of these names or patterns, all where none is given, and its values."""
    patterns = [storable(exhibit)[0] for exhibit in exhibits]
    clause = " OR ".join(["exhibit.name = ? OR exhibit.name GLOB ?"] * len(patterns))
    return f"({clause or 'true'})", [value for pattern in patterns for value in (pattern, pattern)]


def matches_name(name: str, pattern: str) -> bool:
    """True when ``by_name`` would find an exhibit called ``name``."""
    shown, wanted = storable(name)[0], storable(pattern)[0]
    return shown == wanted or fnmatchcase(shown, wanted)
