"""What a report needs of a case besides its events: runs, exhibits, streams, courses, what the gate said."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from vidreview.index import points, watched
from vidreview.index.rows import file_name

Select = Callable[..., list[tuple[Any, ...]]]


@dataclass(frozen=True, slots=True)
class KnownStream:
    """A stream as the index has it; ``row`` is what other tables know it by."""

    row: int
    #: row of its exhibit
    exhibit: int
    #: index within the container
    number: int
    codec: str
    width: int
    height: int
    rotation: int
    time_base: Fraction
    #: seconds by packet timestamps, None where they are missing
    duration_s: float | None
    #: what was probed: ``StreamInfo`` as JSON
    info: dict[str, Any] = field(default_factory=dict)

    @property
    def sample_aspect(self) -> Fraction:
        """Width/height of a pixel; 1 where nothing sensible is known."""
        aspect = _fraction(self.info.get("sample_aspect"), Fraction(1))
        return aspect if aspect > 0 else Fraction(1)

    @property
    def timed(self) -> bool:
        """False where the file holds no timestamps."""
        return bool(self.info.get("timed", True))

    def ticks(self, fact: str) -> int:
        """A length of time that was probed (``frame_interval``, ``cut_off``) in ticks, 0 where it is not known."""
        return round(_fraction(self.info.get(fact), Fraction(0)) / self.time_base)


@dataclass(frozen=True, slots=True)
class Course:
    """A track of an event: where it was, on which frame."""

    #: as people see it
    number: int
    event_class: str
    label: str
    points: points.Columns


class Reported:
    """The same state of the case as the Reader it comes from."""

    def __init__(self, select: Select) -> None:
        """``select`` runs a query on the case and gives its rows."""
        self._select = select

    def runs(self) -> list[dict[str, Any]]:
        """Every run with its record, as it was begun and as it ended."""
        rows = self._select(
            "SELECT id, started_utc, finished_utc, state, settings_sha256, model_sha256, record FROM runs ORDER BY id"
        )
        names = ("run", "started_utc", "finished_utc", "state", "settings_sha256", "model_sha256")
        return [dict(zip(names, row[:-1], strict=True)) | {"record": _object(row[-1])} for row in rows]

    def exhibits(self) -> list[dict[str, Any]]:
        """Every exhibit, those that could not be read too, in the order in which they are listed."""
        names = ("row", "run", "size", "sha256", "reference", "state", "reason", "duplicate_of", "settings_sha256")
        result = []
        for name, raw, path, path_raw, model, info, hashes, *row in self._select(
            "SELECT name, name_raw, path, path_raw, model_sha256, info, hashes, id, run, size, sha256, reference, "
            "state, reason, duplicate_of, settings_sha256 FROM exhibits ORDER BY id"
        ):
            facts = dict(zip(names, row, strict=True))
            facts |= {"name": file_name(name, raw), "path": file_name(path, path_raw), "model_sha256": model}
            result.append(facts | {"container": _object(info).get("container"), "hashes": _object(hashes)})
        return result

    def streams(self) -> list[KnownStream]:
        """Every stream, by exhibit and number."""
        names = ("row", "exhibit", "number", "codec", "width", "height", "rotation")
        return [
            KnownStream(
                **dict(zip(names, row, strict=True)),
                time_base=Fraction(num, den or 1),
                duration_s=duration,
                info=_object(info),
            )
            for num, den, duration, info, *row in self._select(
                "SELECT time_base_num, time_base_den, duration_s, info, id, exhibit, number, codec, width, height, "
                "rotation FROM streams ORDER BY exhibit, number"
            )
        ]

    def event_streams(self) -> dict[int, int]:
        """An event's number → the row of its stream."""
        return dict(self._select("SELECT id, stream FROM numbered_events"))

    def courses(self, event: int) -> list[Course]:
        """The tracks of the event of this number, in its order."""
        return [
            Course(number, event_class, label, points.columns(blob))
            for number, event_class, label, blob in self._select(
                "SELECT t.number, t.class, t.label, p.points FROM events e JOIN event_tracks m ON m.event = e.id "
                "JOIN tracks t ON t.id = m.track JOIN track_points p ON p.track = t.id "
                "WHERE e.number = ? ORDER BY m.position",
                [event],
            )
        ]

    def in_view(self, stream: int) -> list[tuple[float, float]]:
        """From when to when something was tracked in a stream (by row), seconds; what stood still all along is not."""
        return [
            (float(start), float(end))
            for start, end in self._select(
                "SELECT start_s, end_s FROM tracks WHERE stream = ? AND NOT stationary ORDER BY start_s", [stream]
            )
        ]

    def watched(self, stream: int) -> Iterator[watched.Columns]:
        """What the motion gate said of the frames of a stream (by row), block by block, in order.

        Nothing where an earlier version scanned it.
        """
        for (first,) in self._select("SELECT first FROM watched WHERE stream = ? ORDER BY first", [stream]):
            for (blob,) in self._select("SELECT frames FROM watched WHERE stream = ? AND first = ?", [stream, first]):
                yield watched.columns(blob)


def _object(text: str | None) -> dict[str, Any]:
    """A JSON object, empty where it is none: damage to one field costs that field."""
    try:
        value = json.loads(text or "{}")
    except (ValueError, RecursionError, TypeError):
        return {}
    return value if isinstance(value, dict) else {}


def _fraction(value: Any, otherwise: Fraction) -> Fraction:
    try:
        return Fraction(value)
    except (ValueError, TypeError, ZeroDivisionError):
        return otherwise
