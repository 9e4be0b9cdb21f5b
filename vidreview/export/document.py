"""One JSON document of all that a case holds, written as it is read: memory does not grow with the case."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO, Final

from vidreview.clocks import SECOND, offset_words
from vidreview.errors import CaseError
from vidreview.export.facts import Facts
from vidreview.export.tables import POINTS, TABLES, Contents, Row
from vidreview.index import points
from vidreview.index.rows import track_name

#: tables that are lists of objects as they are; the others have a form of their own
_PLAIN: Final = ("exhibits", "streams", "coverage", "problems", "clock_observations", "reviews", "runs")
#: columns of those whose text is always JSON
_DOCUMENTS: Final = ("other_hashes", "settings", "argv", "record")
#: detections to a line
_BLOCK: Final = 100

Write = Callable[[str], object]


def write_document(contents: Contents, facts: Facts, file: BinaryIO) -> dict[str, int]:
    """Write the document; how many items each of its lists has. Its form is docs/export.md.

    Text that UTF-8 cannot hold and all that is not ASCII is escaped, so the bytes are ASCII.
    """

    def write(text: str) -> None:
        file.write(text.encode("ascii"))

    counts = {}
    write(f'{{"vidreview_export": {facts.form},\n "about": {_dump(facts.to_json())}')
    for name in _PLAIN:
        counts[name] = _list(write, name, map(_unfolded, TABLES[name].objects(contents)))
    write(f',\n "clocks": {_dump(_recorders(contents))}')
    counts["events"] = _list(write, "events", contents.reader.events())
    counts["tracks"] = _list(write, "tracks", _tracks(contents))
    counts["detections"] = _detections(write, contents)
    write("\n}\n")
    return counts


def _dump(value: Any) -> str:
    try:
        return json.dumps(value, separators=(",", ":"), allow_nan=False)
    except (ValueError, TypeError) as error:  # bytes, or a number that JSON has not
        raise CaseError(f"the index holds what vidreview did not write: {error}; see 'vidreview verify'") from error


def _list(write: Write, name: str, items: Iterable[Any]) -> int:
    write(f',\n "{name}": [')
    count = 0
    for item in items:
        write(("\n  " if not count else ",\n  ") + _dump(item))
        count += 1
    write("]")
    return count


def _unfolded(item: dict[str, Any]) -> dict[str, Any]:
    return {
        name: json.loads(value) if name in _DOCUMENTS and isinstance(value, str) else value
        for name, value in item.items()
    }


def _tracks(contents: Contents) -> Iterator[dict[str, Any]]:
    """Tracks with their points, dropped ones with the rule that dropped them (rule E4)."""
    rows = contents.reader.stream(
        "SELECT t.id, p.points FROM numbered_tracks t LEFT JOIN track_points p ON p.track = t.row ORDER BY t.id"
    )
    for item, (number, blob) in zip(TABLES["tracks"].objects(contents), rows, strict=True):
        assert item["track"] == track_name(number)
        course = [] if blob is None else points.unpack(blob)
        path = [(p.frame, p.pts, p.seconds, *p.box, p.source, p.score, p.label) for p in course]
        yield item | {"path": path}


def _detections(write: Write, contents: Contents) -> int:
    """All raw detections, those below the threshold too, as rows (rule E4)."""
    table = TABLES["detections"]
    path = [column.partition(":")[0] for column in POINTS.split()]
    write(f',\n "path_columns": {_dump(path)},\n "detection_columns": {_dump(table.names)},\n "detections": [')
    count, block = 0, list[Row]()
    for row in table.rows(contents):
        block.append(row)
        if len(block) == _BLOCK:
            count = _block(write, block, count)
            block = []
    count = _block(write, block, count)
    write("]")
    return count


def _block(write: Write, block: list[Row], count: int) -> int:
    if block:
        write(("\n  " if not count else ",\n  ") + _dump(block)[1:-1])
    return count + len(block)


def _recorders(contents: Contents) -> list[dict[str, Any]]:
    """What follows from the observations of clocks: offset, drift and zone of each recorder."""
    return [
        {
            "exhibits": recorder.exhibits,
            "zone": recorder.correction.zone.name,
            "offsets": [
                {
                    "observations": list(one.names),
                    "source": one.source,
                    "offset_s": one.value / SECOND,
                    "uncertainty_s": one.uncertainty / SECOND,
                    "words": offset_words(one),
                }
                for one in recorder.correction.offsets
            ],
            "drift_s_per_day": [piece.drift_per_day for piece in recorder.correction.pieces],
            "not_used": dict(recorder.correction.unusable),
        }
        for recorder in contents.clocks.recorders
    ]
