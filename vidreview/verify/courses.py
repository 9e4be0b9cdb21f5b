"""The courses of tracks, which are not sealed: computed again from the points, which are."""

from __future__ import annotations

import math
import sqlite3
from typing import Any, Final

from vidreview.index import courses, schema
from vidreview.verify.verdict import Verdict

#: machines may differ in the last digit of a root or a tangent
_SAME: Final = 1e-6


def check_courses(db: sqlite3.Connection, verdict: Verdict) -> None:
    """Compare every course with the points of its track; an older case has none to compare."""
    if not db.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'courses'").fetchone():
        return
    if any(fault.kind == "index" for fault in verdict.faults):
        what = "courses of tracks were not computed again: they follow from rows that are not as recorded"
        verdict.note("index", schema.DATABASE, what)
        return
    known = {row[0] for row in db.execute("SELECT id FROM streams")}
    for (stream,) in db.execute("SELECT DISTINCT stream FROM courses").fetchall():
        if stream not in known:
            _fault(verdict, f"courses of a stream {stream} were added")
    for stream in sorted(known):
        stored: dict[Any, list[tuple[Any, ...]]] = {}
        for row in db.execute(f"SELECT {courses.COLUMNS} FROM courses WHERE stream = ? ORDER BY track", (stream,)):
            stored.setdefault(row[3], []).append(row)
        for track, wanted in courses.computed(db, stream):
            found = stored.pop(track, [])
            verdict.count("courses", len(found))
            if wanted is not None and not (len(found) == 1 and _same(found[0], wanted)):
                what = "was removed" if not found else "was changed" if len(found) == 1 else "was added"
                _fault(verdict, f"courses row of track {track} of streams row {stream} {what}")
        for track in stored:
            _fault(verdict, f"courses row of track {track} of streams row {stream} was added")


def _fault(verdict: Verdict, what: str) -> None:
    verdict.fault(
        "index",
        schema.DATABASE,
        f"{what}: it does not follow from the points of the track, so a search may miss it or find too much; "
        "bring back a copy of case.db",
    )


def _same(found: tuple[Any, ...], wanted: tuple[Any, ...]) -> bool:
    """Equal in kind and value; numbers that are reckoned, but for their last digits."""
    for one, other in zip(found, wanted, strict=True):
        if isinstance(one, float) and isinstance(other, float):
            if not math.isclose(one, other, rel_tol=_SAME, abs_tol=_SAME):
                return False
        elif type(one) is not type(other) or one != other:
            return False
    return True
