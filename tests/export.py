"""Everything that a case says of its evidence, as text: two scans of the same are the same to the byte (rule A7)."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from vidreview.index import EventQuery, Reader, TrackQuery


def export(case: Path) -> str:
    """Events, tracks with their points, coverage and raw detections, without what differs from run to run."""
    with Reader.open(case) as reader:
        document: dict[str, Any] = {
            "events": reader.events(EventQuery()),
            "tracks": list(reader.tracks(TrackQuery(with_dropped=True))),
            "coverage": reader.coverage(),
            "footage": reader.footage(),
        }
    with closing(sqlite3.connect(f"file:{case / 'case.db'}?mode=ro", uri=True)) as db:
        for name, query in (
            (
                "detections",
                "SELECT e.name, s.number, d.frame, d.pts, d.x1, d.y1, d.x2, d.y2, d.score, d.label, d.look "
                "FROM detections d JOIN streams s ON s.id = d.stream JOIN exhibits e ON e.id = s.exhibit "
                "ORDER BY e.id, s.number, d.seconds, d.number",
            ),
            ("exhibits", "SELECT name, size, mtime_ns, sha256, state, reason FROM exhibits ORDER BY id"),
        ):
            document[name] = [list(row) for row in db.execute(query)]
    return json.dumps(document, indent=1, sort_keys=True)
