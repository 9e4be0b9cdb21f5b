"""What the index holds of a stretch: every track, dropped ones too, every detection and every look (rule E4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from vidreview.index import points, watched
from vidreview.index.points import StoredPoint

Select = Callable[..., list[tuple[Any, ...]]]

#: seconds beyond the stretch in which looks and detections are read: the detector looks at least every two minutes
AROUND_S: Final = 150.0


@dataclass(frozen=True, slots=True)
class StoredTrack:
    """A track as it was stored."""

    number: int
    event_class: str
    label: str
    score: float | None
    #: the rule that kept it out of the events, None when it is part of one
    dropped: str | None
    #: events that it is part of
    events: tuple[int, ...]
    points: tuple[StoredPoint, ...]


@dataclass(frozen=True, slots=True)
class StoredDetection:
    """A raw detection, those below the threshold too."""

    frame: int
    pts: int
    #: from the stream's first presented frame
    seconds: float
    #: xyxy
    box: tuple[float, float, float, float]
    score: float
    label: str


@dataclass(frozen=True, slots=True)
class Objects:
    """What was seen in a stretch."""

    tracks: tuple[StoredTrack, ...]
    #: by time, from ``AROUND_S`` before the stretch to as long after it
    detections: tuple[StoredDetection, ...]
    #: seconds at which the detector looked, in the same span
    looks: tuple[float, ...]


def objects(select: Select, stream: int, start_s: float, end_s: float, around_s: float = AROUND_S) -> Objects:
    """What was seen in a stream, by its row, from ``start_s`` to ``end_s``; tracks from ``around_s`` about it, too."""
    span = [stream, start_s - around_s, end_s + around_s]
    return Objects(
        tracks=tuple(_tracks(select, span)),
        detections=tuple(
            StoredDetection(frame, pts, seconds, (x1, y1, x2, y2), score, label)
            for frame, pts, seconds, x1, y1, x2, y2, score, label in select(
                "SELECT frame, pts, seconds, x1, y1, x2, y2, score, label FROM detections "
                "WHERE stream = ? AND seconds >= ? AND seconds <= ? ORDER BY seconds, number",
                span,
            )
        ),
        looks=tuple(_looks(select, span)),
    )


def _tracks(select: Select, span: Sequence[Any]) -> list[StoredTrack]:
    members: dict[int, list[int]] = {}
    for track, event in select(
        "SELECT m.track, e.id FROM event_tracks m JOIN numbered_events e ON e.row = m.event WHERE e.stream = ? "
        "ORDER BY e.id",
        [span[0]],
    ):
        members.setdefault(track, []).append(event)
    return [
        StoredTrack(number, kind, label, score, dropped, tuple(members.get(row, ())), tuple(points.unpack(blob)))
        for row, number, kind, label, score, dropped, blob in select(
            "SELECT t.row, t.id, t.class, t.label, t.score, t.dropped, p.points FROM numbered_tracks t "
            "JOIN track_points p ON p.track = t.row WHERE t.stream = ? AND t.end_s >= ? AND t.start_s <= ? "
            "ORDER BY t.start_s, t.id",
            span,
        )
    ]


def _looks(select: Select, span: Sequence[Any]) -> list[float]:
    found: list[float] = []
    for (blob,) in select(
        "SELECT frames FROM watched WHERE stream = ? AND last_s >= ? AND first_s <= ? ORDER BY first", span
    ):
        frames = watched.unpack(blob)
        found += [frame.seconds for frame in frames if frame.looked and span[1] <= frame.seconds <= span[2]]
    return found
