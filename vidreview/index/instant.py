"""What was seen at one instant of a stream, and which rule dropped what (rule E3)."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from vidreview.index import points, watched
from vidreview.index.rows import event_name, track_name
from vidreview.index.watched import WatchedFrame

Select = Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]

#: the gate in words
GATE: Final = {
    "still": "nothing moved beyond the noise, so the frame was not worth a look",
    "motion": "something moved, so the frame was worth a look, unless all that moved was known",
    "whole-frame": "the whole picture changed (exposure, light, infra-red), and the gate began to learn it anew",
    "learning": "the gate was still learning what the picture ordinarily looks like",
}


@dataclass(frozen=True, slots=True)
class Place:
    """A stream of an exhibit, by the numbers of their rows."""

    exhibit: int
    stream: int


def instant(select: Select, place: Place, seconds: float) -> dict[str, Any]:
    """Everything the index knows of the instant, as plain values; see ``vidreview why --json``."""
    frame, number, until = _frame(select, place.stream, seconds)
    score = _threshold(select, place.exhibit)
    looks = _looks(select, place.stream, seconds)
    return {
        "time_s": round(seconds, 6),
        "frame": None if frame is None else _shown_frame(frame, number, until),
        "gate": None if frame is None else _shown_gate(frame),
        "looks": [
            {
                "at_s": round(at, 6),
                "detections": [_shown_detection(row, score) for row in _detections(select, place.stream, at)],
            }
            for at in looks
        ],
        "high_score": score,
        "tracks": _tracks(select, place.stream, seconds),
        "problems": _problems(select, place),
    }


def _frame(select: Select, stream: int, seconds: float) -> tuple[WatchedFrame | None, int, float | None]:
    """The frame in view, its number, and when the next one took its place; None before the first and without any."""
    rows = select(
        "SELECT first, frames FROM watched WHERE stream = ? AND first_s <= ? ORDER BY first DESC LIMIT 1",
        [stream, seconds + 1e-6],
    )
    if not rows:
        return None, 0, None
    first, blob = rows[0]
    frames = watched.unpack(blob)
    index = max(k for k, frame in enumerate(frames) if frame.seconds <= seconds + 1e-6)
    after = frames[index + 1].seconds if index + 1 < len(frames) else None
    if after is None:
        later = select(
            "SELECT first_s FROM watched WHERE stream = ? AND first > ? ORDER BY first LIMIT 1", [stream, first]
        )
        after = later[0][0] if later else None
    return frames[index], first + index, after


def _shown_frame(frame: WatchedFrame, number: int, until: float | None) -> dict[str, Any]:
    return {
        "number": number,
        "pts": frame.pts,
        "start_s": round(frame.seconds, 6),
        "next_s": None if until is None else round(until, 6),
        "looked_at": frame.looked,
    }


def _shown_gate(frame: WatchedFrame) -> dict[str, Any]:
    return {
        "reason": frame.reason,
        "words": GATE[frame.reason],
        "level": round(frame.level, 5),
        "strength": round(frame.strength, 2),
        "blobs": frame.blobs,
    }


def _looks(select: Select, stream: int, seconds: float) -> list[float]:
    """When the detector last looked at or before the instant, and next after it: looks that found nothing count too."""
    found: list[float] = []
    for side, order in (("first_s <= ?", "DESC"), ("last_s > ?", "ASC")):
        for (blob,) in select(
            f"SELECT frames FROM watched WHERE stream = ? AND {side} ORDER BY first {order}", [stream, seconds + 1e-6]
        ):
            times = [frame.seconds for frame in watched.unpack(blob) if frame.looked]
            if order == "DESC":
                before = [t for t in times if t <= seconds + 1e-6]
                if before:
                    found.append(before[-1])
                    break
            else:
                after = [t for t in times if t > seconds + 1e-6]
                if after:
                    found.append(after[0])
                    break
    return found


def _detections(select: Select, stream: int, at: float) -> list[tuple[Any, ...]]:
    return select(
        "SELECT label, score, x1, y1, x2, y2, look FROM detections WHERE stream = ? AND seconds BETWEEN ? AND ? "
        "ORDER BY score DESC, number",
        [stream, at - 1e-6, at + 1e-6],
    )


def _shown_detection(row: tuple[Any, ...], score: float | None) -> dict[str, Any]:
    label, own, *box, look = row
    return {
        "label": label,
        "score": round(own, 4),
        "box": [round(side, 1) for side in box],
        "look": look,
        "starts_a_track": None if score is None else own >= score,
    }


def _tracks(select: Select, stream: int, seconds: float) -> list[dict[str, Any]]:
    """The tracks that the instant lies in, with where they were, and what became of them."""
    result = []
    for row, number, kind, label, start, end, score, dropped, event in select(
        "SELECT t.id, t.number, t.class, t.label, t.start_s, t.end_s, t.score, t.dropped, e.number FROM tracks t "
        "LEFT JOIN event_tracks m ON m.track = t.id LEFT JOIN events e ON e.id = m.event "
        "WHERE t.stream = ? AND t.start_s <= ? AND t.end_s >= ? ORDER BY t.start_s, t.id",
        [stream, seconds + 1e-6, seconds - 1e-6],
    ):
        blob = select("SELECT points FROM track_points WHERE track = ?", [row])
        course = points.unpack(blob[0][0]) if blob else []
        near = min(course, key=lambda point: abs(point.seconds - seconds), default=None)
        result.append(
            {
                "id": None if number is None else track_name(number),
                "class": kind,
                "label": label,
                "start_s": round(start, 6),
                "end_s": round(end, 6),
                "score": None if score is None else round(score, 4),
                "box": None if near is None else [round(side, 1) for side in near.box],
                "rests_on": None if near is None else near.source,
                "event": None if event is None else event_name(event),
                "dropped": dropped,
            }
        )
    return result


def _problems(select: Select, place: Place) -> list[dict[str, Any]]:
    rows = select(
        "SELECT kind, reason, at_s, pts, end_pts FROM problems WHERE stream = ? OR (exhibit = ? AND stream IS NULL) "
        "ORDER BY id",
        [place.stream, place.exhibit],
    )
    return [dict(zip(("kind", "reason", "at_s", "pts", "end_pts"), row, strict=True)) for row in rows]


def _threshold(select: Select, exhibit: int) -> float | None:
    """The score that starts a track, by the settings of the run."""
    rows = select("SELECT r.record FROM runs r JOIN exhibits e ON e.run = r.id WHERE e.id = ?", [exhibit])
    try:
        return float(json.loads(json.loads(rows[0][0])["settings"])["high_score"])
    except (IndexError, KeyError, TypeError, ValueError):
        return None
