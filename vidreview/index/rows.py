"""How values become columns: names with odd bytes, numbers of numpy, problems, documents."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from vidreview.model import Event, Problem


class DetectionRow(NamedTuple):
    """One raw detection, kept whatever its score (rule E4)."""

    frame: int
    pts: int
    #: from the stream's first presented frame
    seconds: float
    x1: float
    y1: float
    x2: float
    y2: float
    score: float
    label: str
    look: Literal["frame", "zoom"]


def storable(text: str | os.PathLike[str]) -> tuple[str, bytes | None]:
    r"""A name as text that UTF-8 can hold, odd bytes written ``\xNN``, and the bytes themselves where they differ."""
    raw = os.fsencode(text)
    shown = raw.decode("utf-8", "backslashreplace")
    return shown, None if shown.encode() == raw else raw


def file_name(text: str, raw: bytes | None) -> str:
    """A name as ``storable`` was given it."""
    return text if raw is None else os.fsdecode(raw)


def absolute(path: Path) -> tuple[str, bytes | None]:
    """Where a file lies, whatever folder a later command is run in."""
    return storable(os.path.abspath(path))  # noqa: PTH100 - Path.absolute keeps '..'


def insert(db: sqlite3.Connection, table: str, **values: Any) -> None:
    """Put one row into a table, by the names of its columns."""
    places = ", ".join("?" * len(values))
    db.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({places})", list(values.values()))


def event_columns(stream: int, event: Event) -> dict[str, Any]:
    """The columns of an event but for its number."""
    span = event.span
    return {
        "stream": stream,
        "class": event.event_class,
        "label": event.label,
        "start_pts": int(span.start.pts),
        "end_pts": int(span.end.pts),
        "start_s": float(span.start_s),
        "end_s": float(span.end_s),
        "peak_pts": int(event.peak.pts),
        "peak_s": float(event.peak_s),
        "max_count": int(event.max_count),
        "score": real(event.score),
    }


def insert_problems(db: sqlite3.Connection, exhibit: int, stream: int | None, problems: Sequence[Problem]) -> None:
    """Put what was found wrong with an exhibit, or with a stream of it, into the index."""
    db.executemany(
        "INSERT INTO problems (exhibit, stream, kind, reason, at_s, pts, end_pts, byte) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [(exhibit, stream, p.kind, printable(p.reason), real(p.at_s), p.pts, p.end_pts, p.byte) for p in problems],
    )


def printable(text: str) -> str:
    """Text as UTF-8 can hold it."""
    return text.encode("utf-8", "backslashreplace").decode()


def shown(text: str | None) -> str | None:
    """The same of what may be missing."""
    return None if text is None else printable(text)


def real(value: float | None) -> float | None:
    """A number, of numpy or not, as a float."""
    return None if value is None else float(value)


def canonical(value: Any) -> str:
    """JSON with sorted keys and ASCII only: equal values give equal text, odd file names included."""

    def plain(item: Any) -> str:
        if isinstance(item, Fraction):
            return f"{item.numerator}/{item.denominator}"
        return str(item)

    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=plain)


def event_name(number: int) -> str:
    """An event's number as people see it."""
    return f"E{number:04d}"


def provisional_name(number: int) -> str:
    """A provisional event's number as people see it."""
    return f"P{number:04d}"


def track_name(number: int) -> str:
    """A track's number as people see it."""
    return f"T{number:04d}"
