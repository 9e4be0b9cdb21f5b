"""MOT Challenge text: tracks and raw detections of each stream, in the folders that its tools expect."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from typing import Final

from vidreview.export.facts import Facts
from vidreview.export.files import Outputs
from vidreview.export.tables import Contents, document
from vidreview.index import points
from vidreview.index.points import StoredPoint
from vidreview.index.rows import storable

#: lines are handed to the file in pieces of so many
_PIECE: Final = 2000


def track_lines(tracks: Iterable[tuple[int, Iterable[StoredPoint]]]) -> Iterator[str]:
    """The lines of tracks, by frame, then number; ``tracks`` are numbers and points, by their first frame.

    A line is frame (from 1), track, left, top, width, height, score (-1 where the detector did not see it on that
    frame), -1, -1, -1. Holds the points of those tracks in memory that are in view together, and no others.
    """
    open_now: list[tuple[int, int, int, Iterator[StoredPoint], StoredPoint]] = []
    for order, (number, course) in enumerate(tracks):
        rest = iter(course)
        first = next(rest, None)
        if first is None:
            continue
        while open_now and open_now[0][0] < first.frame:
            yield _step(open_now)
        heapq.heappush(open_now, (first.frame, number, order, rest, first))
    while open_now:
        yield _step(open_now)


def _step(open_now: list[tuple[int, int, int, Iterator[StoredPoint], StoredPoint]]) -> str:
    frame, number, order, rest, point = open_now[0]
    following = next(rest, None)
    if following is None:
        heapq.heappop(open_now)
    else:
        heapq.heapreplace(open_now, (following.frame, number, order, rest, following))
    return line(frame, number, point.box, -1.0 if point.score is None else point.score)


def line(frame: int, number: int, box: Iterable[float], score: float) -> str:
    """One line; ``frame`` counts from 0, ``box`` is xyxy."""
    x1, y1, x2, y2 = box
    return f"{frame + 1},{number},{x1:.2f},{y1:.2f},{x2 - x1:.2f},{y2 - y1:.2f},{score:.4g},-1,-1,-1"


def write_sequences(contents: Contents, facts: Facts, outputs: Outputs) -> dict[str, int]:
    """Write a folder for each stream: det/det.txt, tracks.txt, seqinfo.ini; how many lines the files have together.

    Folders are named by number of exhibit and stream, never by a file's own name; README.txt says which is which.
    """
    counts = {"tracks": 0, "detections": 0}
    listed = []
    for row in contents.reader.select(
        "SELECT stream.id, exhibit.id, exhibit.name, exhibit.sha256, stream.number, width, height, stream.info, "
        "c.frames_presented FROM streams stream JOIN exhibits exhibit ON exhibit.id = stream.exhibit "
        "LEFT JOIN coverage c ON c.stream = stream.id ORDER BY exhibit.id, stream.number"
    ):
        place, exhibit, name, sha256, stream, *rest = row
        sequence = f"exhibit{exhibit:04d}_stream{stream}"
        counts["tracks"] += _write(outputs, f"{sequence}/tracks.txt", track_lines(_tracks(contents, place)))
        counts["detections"] += _write(outputs, f"{sequence}/det/det.txt", _detections(contents, place))
        _write(outputs, f"{sequence}/seqinfo.ini", _seqinfo(sequence, *rest))
        listed.append(f"{sequence}: {storable(name)[0]!r} stream {stream}, SHA-256 {sha256}")
    _write(outputs, "README.txt", [*_readme(facts), *listed])
    return counts


def _tracks(contents: Contents, stream: int) -> Iterator[tuple[int, list[StoredPoint]]]:
    """Tracks that are part of an event, by start: frames of a stream go with its seconds."""
    for number, blob in contents.reader.stream(
        "SELECT t.id, p.points FROM numbered_tracks t JOIN track_points p ON p.track = t.row "
        "WHERE t.stream = ? AND t.dropped IS NULL ORDER BY t.start_s, t.id",
        (stream,),
    ):
        yield number, points.unpack(blob)


def _detections(contents: Contents, stream: int) -> Iterator[str]:
    """Raw detections, those below the threshold too (rule E4)."""
    for frame, x1, y1, x2, y2, score in contents.reader.stream(
        "SELECT frame, x1, y1, x2, y2, score FROM detections WHERE stream = ? ORDER BY seconds, number", (stream,)
    ):
        # -1 is MOT's word for no track, which frame + 1 must not touch
        yield line(frame, -1, (x1, y1, x2, y2), score)


def _seqinfo(sequence: str, width: int, height: int, info: str, frames: int | None) -> Iterator[str]:
    rate = document(info).get("measured_rate")
    rate = rate if isinstance(rate, int | float) else 0
    yield "[Sequence]"
    yield f"name={sequence}"
    yield "imDir=img1"
    yield f"frameRate={rate:g}"
    yield f"seqLength={frames or 0}"
    yield f"imWidth={width}"
    yield f"imHeight={height}"
    yield "imExt=.png"


def _readme(facts: Facts) -> Iterator[str]:
    yield f"Case {facts.case}, exported by {facts.tool} at {facts.made_utc}; audit log head {facts.audit_head}"
    yield facts.leads
    yield facts.unfinished or "The scans of all exhibits of this case are over."
    yield "tracks.txt: frame (from 1), track, left, top, width, height, score (-1: not seen by the detector),"
    yield "-1, -1, -1. Only tracks that are part of an event; the others, with the reason, are in the csv, json and"
    yield "parquet exports."
    yield "det/det.txt: all raw detections, below the threshold too, in the same form with -1 for the track."
    yield "frameRate is the measured mean: frames of a recording may come at irregular times, which MOT cannot say."
    yield ""


def _write(outputs: Outputs, name: str, lines: Iterable[str]) -> int:
    count = 0
    with outputs.open(name) as file:
        piece: list[str] = []
        for one in lines:
            piece.append(one)
            count += 1
            if len(piece) == _PIECE:
                file.write(("\n".join(piece) + "\n").encode())
                piece = []
        if piece:
            file.write(("\n".join(piece) + "\n").encode())
    return count
