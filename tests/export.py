"""Everything that a case says of its evidence, as text: two scans of the same are the same to the byte (rule A7)."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from vidreview.index import EventQuery, Reader, TrackQuery


def export(case: Path) -> str:
    """Events, tracks with points and looks, coverage and raw detections, without what differs from run to run."""
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
            (
                "looks",
                "SELECT t.number, l.looks, l.light, hex(l.descriptor) FROM looks l JOIN tracks t ON t.id = l.track "
                "ORDER BY t.number",
            ),
            (
                "look_colours",
                "SELECT t.number, l.part, l.colour, l.share FROM look_colours l JOIN tracks t ON t.id = l.track "
                "ORDER BY t.number, l.part, l.colour",
            ),
            (
                "look_crops",
                "SELECT t.number, position, frame, pts, seconds, x1, y1, x2, y2, quality, hex(jpeg) FROM look_crops l "
                "JOIN tracks t ON t.id = l.track ORDER BY t.number, position",
            ),
            ("exhibits", "SELECT name, size, mtime_ns, sha256, state, reason FROM exhibits ORDER BY id"),
        ):
            document[name] = [list(row) for row in db.execute(query)]
    return json.dumps(document, indent=1, sort_keys=True)
