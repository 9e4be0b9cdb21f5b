"""The tables of an export: what a case holds, as rows of plain values with named, typed columns, one after the other.

Every format writes these, so that a column means the same in each of them; docs/export.md says what.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal, NamedTuple

from vidreview.errors import CaseError
from vidreview.index import points
from vidreview.index.clocks import CaseClocks
from vidreview.index.query import Reader
from vidreview.index.reviews import placed_reviews
from vidreview.index.rows import event_name, storable, track_name

#: what every export says of itself (rule E1)
LEADS: Final = (
    "Events and tracks are leads for a person to look at, not identifications. An object that was not detected leaves "
    "no record: what was looked at is in the table coverage, what could not be read in the table problems."
)

#: "time" and "utc" are ISO 8601: without zone as a recorder shows it, and in UTC
Kind = Literal["text", "integer", "real", "boolean", "time", "utc"]
Row = tuple[Any, ...]


class Column(NamedTuple):
    """A column of a table; any value may be missing."""

    name: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the export."""

    name: str
    columns: tuple[Column, ...]
    rows: Callable[[Contents], Iterator[Row]]

    @property
    def names(self) -> list[str]:
        """The names of its columns."""
        return [column.name for column in self.columns]

    def objects(self, contents: Contents) -> Iterator[dict[str, Any]]:
        """Its rows, each with the names of its columns."""
        names = self.names
        return (dict(zip(names, row, strict=True)) for row in self.rows(contents))


class Contents:
    """A case that is read for an export: what several tables need is read once."""

    def __init__(self, reader: Reader) -> None:
        """``reader`` sees one state of the case."""
        self.reader = reader

    @cached_property
    def clocks(self) -> CaseClocks:
        """The clocks of its streams."""
        return self.reader.clocks()

    @cached_property
    def exhibits(self) -> dict[int, tuple[str, str | None]]:
        """Number → name, as text that UTF-8 can hold, and SHA-256."""
        return {row[0]: (row[1], row[2]) for row in self.reader.select("SELECT id, name, sha256 FROM exhibits")}

    @cached_property
    def unfinished(self) -> int:
        """Exhibits whose scan is not over, or whose turn to be numbered has not come."""
        states = "('pending', 'running', 'scanned')"
        return int(self.reader.select(f"SELECT count(*) FROM exhibits WHERE state IN {states}")[0][0])


def _columns(words: str) -> tuple[Column, ...]:
    """Columns from "name" (text), "name:i" (integer), ":r" (real), ":b" (boolean), ":t" and ":u" (times)."""
    kinds: dict[str, Kind] = {"": "text", "i": "integer", "r": "real", "b": "boolean", "t": "time", "u": "utc"}
    return tuple(Column(name, kinds[kind]) for name, _, kind in (word.partition(":") for word in words.split()))


def document(text: str | None) -> dict[str, Any]:
    """A document of the index; raises CaseError when it is none of ours."""
    if text is None:
        return {}
    try:
        value = json.loads(text)
        if not isinstance(value, dict):
            raise ValueError("no object")
    except (ValueError, RecursionError) as error:
        raise CaseError(f"the index holds what vidreview did not write: {error}; see 'vidreview verify'") from error
    return value


def _text(value: Any) -> str | None:
    """A value of a document as text: as it is, or as JSON."""
    if value is None:
        return None
    return storable(value)[0] if isinstance(value, str) else json.dumps(value, sort_keys=True)


# ---- exhibits, runs, streams

_EXHIBITS = (
    "exhibit_number:i exhibit path reference size_bytes:i sha256 other_hashes state reason duplicate_of:i container "
    "run:i settings_sha256 model_sha256 name_bytes_hex path_bytes_hex"
)


def _exhibits(contents: Contents) -> Iterator[Row]:
    for *shown, info, run, settings, model, name_raw, path_raw in contents.reader.stream(
        "SELECT id, name, path, reference, size, sha256, hashes, state, reason, duplicate_of, info, run, "
        "settings_sha256, model_sha256, name_raw, path_raw FROM exhibits ORDER BY id"
    ):
        container = _text(document(info).get("container"))
        raw = (None if one is None else one.hex() for one in (name_raw, path_raw))
        yield (*shown, container, run, settings, model, *raw)


_RUNS = (
    "run:i started_utc:u finished_utc:u state version operator organisation reason settings settings_sha256 model "
    "model_sha256 argv record"
)


def _runs(contents: Contents) -> Iterator[Row]:
    for run, started, finished, state, settings_sha256, model_sha256, record in contents.reader.stream(
        "SELECT id, started_utc, finished_utc, state, settings_sha256, model_sha256, record FROM runs ORDER BY id"
    ):
        facts = document(record)
        said = [_text(facts.get(name)) for name in ("version", "operator", "organisation", "reason")]
        settings, model, argv = (_text(facts.get(name)) for name in ("settings", "model", "argv"))
        yield run, started, finished, state, *said, settings, settings_sha256, model, model_sha256, argv, record


_STREAMS = (
    "exhibit_number:i exhibit stream:i codec width_px:i height_px:i rotation_deg:i sample_aspect time_base start_pts:i "
    "duration_s:r has_timestamps:b"
)


def _streams(contents: Contents) -> Iterator[Row]:
    for number, name, stream, codec, width, height, rotation, num, den, start, duration, info in contents.reader.stream(
        "SELECT exhibit.id, exhibit.name, stream.number, codec, width, height, rotation, time_base_num, time_base_den, "
        "start_pts, duration_s, stream.info FROM streams stream JOIN exhibits exhibit ON exhibit.id = stream.exhibit "
        "ORDER BY exhibit.id, stream.number"
    ):
        facts = document(info)
        aspect, timed = _text(facts.get("sample_aspect") or "1"), bool(facts.get("timed", True))
        base = f"{num}/{den}"
        yield number, name, stream, codec, width, height, rotation, aspect, base, start, duration, timed


# ---- events and tracks

_CLOCK = (
    "start_shown:t end_shown:t shown_uncertainty_s:r start_corrected:t end_corrected:t corrected_uncertainty_s:r "
    "start_utc:u end_utc:u utc_candidates utc_uncertainty_s:r time_source"
)
_EVENTS = (
    "event exhibit exhibit_sha256 reference stream:i class label start_pts:i end_pts:i time_base start_s:r end_s:r "
    f"duration_s:r {_CLOCK} peak_s:r max_count:i tracks score:r still review review_by review_utc:u review_note "
    "provisional:b"
)


def _events(contents: Contents) -> Iterator[Row]:
    columns = [column.name for column in _columns(_EVENTS)][1:]
    for item in contents.reader.events():
        item["exhibit"] = storable(item["exhibit"])[0]
        item["duration_s"] = round(item["end_s"] - item["start_s"], 6)
        item["tracks"] = " ".join(item["tracks"]) or None
        item["utc_candidates"] = _candidates(item)
        yield item["id"], *(item[name] for name in columns)


def _candidates(times: dict[str, Any]) -> str | None:
    """The intervals of UTC that are possible, in the form of ISO 8601: start/end, two of them in a repeated hour."""
    return " or ".join(f"{one['start_utc']}/{one['end_utc']}" for one in times["utc_candidates"]) or None


_EVENT_TRACKS = "event position:i track"


def _event_tracks(contents: Contents) -> Iterator[Row]:
    for event, position, track in contents.reader.stream(
        "SELECT e.number, m.position, t.number FROM event_tracks m JOIN events e ON e.id = m.event JOIN tracks t "
        "ON t.id = m.track WHERE e.number IS NOT NULL ORDER BY e.number, m.position"
    ):
        yield event_name(event), position, track_name(track)


_TRACKS = (
    "track event exhibit exhibit_sha256 reference stream:i class label start_pts:i end_pts:i time_base start_s:r "
    f"end_s:r duration_s:r {_CLOCK} score:r detections:i stationary:b dropped"
)
_CLOCK_NAMES: Final = [column.name for column in _columns(_CLOCK)]


def _tracks(contents: Contents) -> Iterator[Row]:
    """All tracks, those that are part of no event too, with the rule that dropped them (rule E4)."""
    for number, event, place, name, sha256, reference, stream, num, den, *rest in contents.reader.stream(
        "SELECT t.id, "
        "(SELECT min(e.number) FROM event_tracks m JOIN events e ON e.id = m.event WHERE m.track = t.row), "
        "t.stream, exhibit.name, exhibit.sha256, exhibit.reference, stream.number, time_base_num, time_base_den, "
        "t.class, t.label, t.start_pts, t.end_pts, t.start_s, t.end_s, t.score, t.detections, t.stationary, t.dropped "
        "FROM numbered_tracks t JOIN streams stream ON stream.id = t.stream "
        "JOIN exhibits exhibit ON exhibit.id = stream.exhibit ORDER BY t.id"
    ):
        kind, label, start, end, start_s, end_s, score, detections, stationary, dropped = rest
        times = contents.clocks.times(place, start_s, end_s)
        times["utc_candidates"] = _candidates(times)
        yield (
            track_name(number),
            None if event is None else event_name(event),
            *(name, sha256, reference, stream, kind, label, start, end, f"{num}/{den}"),
            *(round(start_s, 6), round(end_s, 6), round(end_s - start_s, 6)),
            *(times[one] for one in _CLOCK_NAMES),
            None if score is None else round(score, 6),
            *(detections, bool(stationary), dropped),
        )


POINTS: Final = "frame:i pts:i seconds:r x1_px:r y1_px:r x2_px:r y2_px:r source score:r label"


def _track_points(contents: Contents) -> Iterator[Row]:
    for number, blob in contents.reader.stream(
        "SELECT t.id, p.points FROM numbered_tracks t JOIN track_points p ON p.track = t.row ORDER BY t.id"
    ):
        name = track_name(number)
        for point in points.unpack(blob):
            yield name, point.frame, point.pts, point.seconds, *point.box, point.source, point.score, point.label


_DETECTIONS = (
    "exhibit_number:i stream:i number:i frame:i pts:i seconds:r x1_px:r y1_px:r x2_px:r y2_px:r score:r label look"
)


def _detections(contents: Contents) -> Iterator[Row]:
    """All raw detections, those below the threshold too (rule E4)."""
    for exhibit, stream, row in contents.reader.select("SELECT exhibit, number, id FROM streams ORDER BY 1, 2"):
        yield from contents.reader.stream(
            "SELECT ?, ?, number, frame, pts, seconds, x1, y1, x2, y2, score, label, look FROM detections "
            "WHERE stream = ? ORDER BY seconds, number",
            (exhibit, stream, row),
        )


# ---- what was read, and what was not

_COVERAGE = (
    "exhibit_number:i exhibit stream:i time_base duration_ticks:i analysed_ticks:i undecodable_ticks:i gap_ticks:i "
    "not_requested_ticks:i duration_s:r analysed_s:r undecodable_s:r gap_s:r not_requested_s:r frames_decoded:i "
    "frames_damaged:i frames_missing:i detector_frames:i"
)
_STATES: Final = ("analysed", "undecodable", "gap", "not_requested")


def _coverage(contents: Contents) -> Iterator[Row]:
    numbers = contents.reader.select(
        "SELECT exhibit.id FROM exhibits exhibit LEFT JOIN streams stream ON stream.exhibit = exhibit.id "
        "ORDER BY exhibit.id, stream.number"
    )
    for (number,), item in zip(numbers, contents.reader.coverage(), strict=True):
        ticks, seconds, frames = item["ticks"], item["states"], item["frames"]
        yield (
            *(number, storable(item["exhibit"])[0], item["stream"], item["time_base"], ticks["duration"]),
            *(ticks[state] for state in _STATES),
            item["duration_s"],
            *(seconds[f"{state}_s"] for state in _STATES),
            *(frames["decoded"], frames["damaged"], frames["missing"], item["detector_frames"]),
        )


_PROBLEMS = "exhibit_number:i exhibit stream:i kind reason at_s:r pts:i end_pts:i byte:i"


def _problems(contents: Contents) -> Iterator[Row]:
    yield from contents.reader.stream(
        "SELECT p.exhibit, exhibit.name, stream.number, p.kind, p.reason, p.at_s, p.pts, p.end_pts, p.byte "
        "FROM problems p JOIN exhibits exhibit ON exhibit.id = p.exhibit LEFT JOIN streams stream ON "
        "stream.id = p.stream GROUP BY p.exhibit, p.stream, p.kind, p.reason, p.at_s, p.pts, p.end_pts, p.byte "
        "ORDER BY p.exhibit, stream.number, min(p.id)"
    )


# ---- what people said

_CLOCKS = (
    "observation exhibit exhibit_sha256 stream:i at_s:r shown:t reference source zone uncertainty_s:r by "
    "recorded_utc:u withdrawn_utc:u withdrawn_by withdrawn_reason"
)


def _clock_observations(contents: Contents) -> Iterator[Row]:
    """One row for each exhibit that an observation is about."""
    for item in (one.to_json() for one in contents.clocks.observations):
        withdrawn = item["withdrawn"] or {}
        for exhibit in item["exhibits"]:
            yield (
                *(item["id"], storable(exhibit["exhibit"])[0], exhibit["exhibit_sha256"], exhibit["stream"]),
                *(item[name] for name in ("at_s", "shown", "reference", "source", "zone", "uncertainty_s", "by")),
                item["recorded_utc"],
                *(withdrawn.get(name) for name in ("at_utc", "by", "reason")),
            )


_REVIEWS = (
    "review:i event exhibit exhibit_sha256 stream:i start_pts:i class state by utc:u note recorded_utc:u marked_utc:u "
    "marks_sha256 counts:b event_now now"
)


def _reviews(contents: Contents) -> Iterator[Row]:
    columns = [column.name for column in _columns(_REVIEWS)][1:]
    for item in (one.to_json() for one in placed_reviews(contents.reader.select)):
        item["exhibit"] = None if item["exhibit"] is None else storable(item["exhibit"])[0]
        yield item["id"], *(item[name] for name in columns)


TABLES: Final = {
    name: Table(name, _columns(columns), rows)
    for name, columns, rows in (
        ("exhibits", _EXHIBITS, _exhibits),
        ("streams", _STREAMS, _streams),
        ("events", _EVENTS, _events),
        ("tracks", _TRACKS, _tracks),
        ("event_tracks", _EVENT_TRACKS, _event_tracks),
        ("track_points", f"track {POINTS}", _track_points),
        ("detections", _DETECTIONS, _detections),
        ("coverage", _COVERAGE, _coverage),
        ("problems", _PROBLEMS, _problems),
        ("clock_observations", _CLOCKS, _clock_observations),
        ("reviews", _REVIEWS, _reviews),
        ("runs", _RUNS, _runs),
    )
}
