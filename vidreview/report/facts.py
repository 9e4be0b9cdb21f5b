"""Index and audit log → the facts of a report, as plain values; nothing is decoded here."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vidreview import __version__
from vidreview.errors import CaseError
from vidreview.index.query import EventPlace, Reader
from vidreview.index.reported import KnownStream, Reported
from vidreview.index.rows import event_name, printable
from vidreview.regions import Regions
from vidreview.report import activity, method
from vidreview.report.courses import Tracked, tracked
from vidreview.report.pictures import Upright
from vidreview.report.spans import Frames, frames_of, lay
from vidreview.report.walltime import clock_facts

#: the form of the data files
FORM = 1


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a report is to hold."""

    #: events as ``vidreview events --json`` has them, in the order of the report
    events: list[dict[str, Any]]
    #: the filters that were given, one in words each
    filters: tuple[str, ...]
    command: str
    made_utc: str
    validation: method.Validated | None = None
    #: which exhibits are of which camera
    regions: Regions = field(default_factory=Regions)


@dataclass(slots=True)
class Gathered:
    """The facts of a report, and what making its pictures needs."""

    facts: dict[str, Any]
    #: events in the order of the report, their pictures and clips still missing
    events: list[dict[str, Any]]
    #: as the index has them, in the order of ``facts["streams"]``
    streams: list[KnownStream]
    #: exhibit rows in the order of ``facts["exhibits"]``
    exhibits: list[int]
    #: the times of all frames of each stream
    frames: list[Frames]
    #: how the pictures of each stream are shown
    uprights: list[Upright]
    #: event → where it lies
    places: dict[str, EventPlace] = field(default_factory=dict)
    #: event → its tracks
    courses: dict[str, list[Tracked]] = field(default_factory=dict)


def gather(reader: Reader, wanted: Wanted) -> Gathered:
    """Everything of the report that the index knows; raises CaseError when it cannot be read."""
    stored = reader.reported()
    exhibits, streams = stored.exhibits(), stored.streams()
    ledger = reader.coverage()
    events = [event for event in wanted.events if not event["provisional"]]
    frames = [frames_of(stored.watched(stream.row), stream.time_base) for stream in streams]
    uprights = [Upright(one.width, one.height, one.rotation, one.sample_aspect) for one in streams]
    gathered = Gathered({}, [], streams, [exhibit["row"] for exhibit in exhibits], frames, uprights)
    _add_events(gathered, reader, stored, events)
    runs = [_run(run) for run in stored.runs()]
    in_runs = {exhibit["run"] for exhibit in exhibits}
    gathered.facts = {
        "form": FORM,
        "report": {
            "id": _identity(exhibits, gathered.events),
            "made_utc": wanted.made_utc,
            "tool": f"vidreview {__version__}",
            "command": wanted.command,
            "filters": list(wanted.filters),
            "events_in_case": reader.numbers("events")[0],
            "events_in_report": len(gathered.events),
            "provisional_left_out": len(wanted.events) - len(events),
        },
        "case": _case(reader.folder, exhibits, runs),
        "runs": [{key: value for key, value in run.items() if key != "for_whom"} for run in runs],
        "exhibits": _exhibits(exhibits),
        **_streams(gathered, reader, wanted.regions, exhibits, ledger),
        "problems": _exhibit_problems(exhibits, ledger),
        "integrity": {},
        "method": {
            "words": list(method.WORDS),
            "limits": list(method.LIMITS),
            "recall": method.recall(wanted.validation, [run for run in runs if run["run"] in in_runs]),
        },
        "ledger": _sums(ledger),
    }
    return gathered


def _add_events(gathered: Gathered, reader: Reader, stored: Reported, events: Sequence[dict[str, Any]]) -> None:
    place_of = {stream.row: k for k, stream in enumerate(gathered.streams)}
    rows = stored.event_streams()
    numbers = [int(event["id"][1:]) for event in events]
    for first in range(0, len(numbers), 1000):
        for place in reader.places(numbers[first : first + 1000]):
            gathered.places[event_name(place.number)] = place
    for event, number in zip(events, numbers, strict=True):
        stream = place_of[rows[number]]
        courses = tracked(stored.courses(number))
        gathered.courses[event["id"]] = courses
        gathered.events.append(_event(event, stream, [course.to_json(gathered.uprights[stream]) for course in courses]))


def _event(event: dict[str, Any], stream: int, tracks: list[dict[str, Any]]) -> dict[str, Any]:
    """One event of the report; its pictures and clips are added as they are made."""
    kept = ("id", "class", "label", "start_pts", "end_pts", "time_base", "start_s", "end_s", "peak_s", "score")
    more = ("max_count", "exhibit", "exhibit_sha256", "reference")
    shown, corrected = (
        None if event[f"start_{which}"] is None else [event[f"start_{which}"], event[f"end_{which}"]]
        for which in ("shown", "corrected")
    )
    return (
        {key: event[key] for key in (*kept, *more)}
        | {
            "stream": stream,
            "shown": shown,
            "shown_uncertainty_s": event["shown_uncertainty_s"],
            "corrected": corrected,
            "corrected_uncertainty_s": event["corrected_uncertainty_s"],
            "utc": [[one["start_utc"], one["end_utc"]] for one in event["utc_candidates"]],
            "utc_uncertainty_s": event["utc_uncertainty_s"],
            "time_words": event["time_source"] or "stream time alone: nobody recorded what the recorder's clock showed",
            "tracks": tracks,
            "review": {"state": event["review"]} | {key: event[f"review_{key}"] for key in ("by", "utc", "note")},
        }
        | dict.fromkeys(("still", "thumb", "strip", "clip", "copy", "kept", "missing"))
    )


def _identity(exhibits: Sequence[dict[str, Any]], events: Sequence[dict[str, Any]]) -> str:
    """SHA-256 over what identifies case and events: a report made again of the same has the same."""
    content = sorted({exhibit["sha256"] for exhibit in exhibits if exhibit["sha256"]})
    lines = [[event[key] for key in ("id", "exhibit_sha256", "start_pts", "end_pts", "class")] for event in events]
    return hashlib.sha256(json.dumps([content, lines], sort_keys=True).encode()).hexdigest()


def _run(run: dict[str, Any]) -> dict[str, Any]:
    """A run as the report has it."""
    record = run["record"]
    try:
        settings = json.loads(record.get("settings") or "{}")
    except (ValueError, TypeError):
        settings = {}
    names = ("run", "started_utc", "finished_utc", "state", "settings_sha256", "model_sha256")
    environment = {key: record[key] for key in ("python", "os", "cpu", "cores", "workers") if key in record}
    environment |= {key: record[key] for key in ("decoders", "packages", "limits") if isinstance(record.get(key), dict)}
    model = {key: record[key] for key in ("model", "runtime") if record.get(key)}
    return {key: run[key] for key in names} | {
        "version": record.get("version"),
        "settings": settings if isinstance(settings, dict) else {},
        "model": {"name": model.get("model"), "runtime": model.get("runtime")} if model else None,
        "environment": environment,
        "argv": [str(word) for word in record.get("argv") or ()],
        "for_whom": {key: str(record[key]) for key in ("operator", "organisation", "reason") if record.get(key)},
    }


def _case(folder: Path, exhibits: Sequence[dict[str, Any]], runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    def each(values: Sequence[Any]) -> list[str]:
        return list(dict.fromkeys(str(value) for value in values if value))

    return {
        "name": Path(os.path.abspath(folder)).name,  # noqa: PTH100 - a link is called what it is called
        "references": each([exhibit["reference"] for exhibit in exhibits]),
        "operators": each([run["for_whom"].get("operator") for run in runs]),
        "organisations": each([run["for_whom"].get("organisation") for run in runs]),
        "reasons": each([run["for_whom"].get("reason") for run in runs]),
    }


def _exhibits(exhibits: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    names = {exhibit["row"]: exhibit["name"] for exhibit in exhibits}
    kept = ("name", "path", "reference", "size", "sha256", "state", "reason", "container")
    return [
        {"exhibit": exhibit["row"]}
        | {key: exhibit[key] for key in kept}
        | {"duplicate_of": names.get(exhibit["duplicate_of"]), "other_hashes": exhibit["hashes"]}
        for exhibit in exhibits
    ]


def _streams(
    gathered: Gathered,
    reader: Reader,
    regions: Regions,
    exhibits: Sequence[dict[str, Any]],
    ledger: Sequence[dict[str, Any]],
) -> dict[str, Any]:
    """``streams`` and ``cameras``, which are as ``regions.toml`` says; a stream is one of its own without it."""
    place = {exhibit["row"]: k for k, exhibit in enumerate(exhibits)}
    covered = [item for item in ledger if item["stream"] is not None]
    if len(covered) != len(gathered.streams):
        raise CaseError("the ledger and the streams of the case do not fit; run 'vidreview verify'")
    clocks = reader.clocks()
    cameras = _cameras(gathered.streams, exhibits, place, regions)
    camera_of = {k: number for number, camera in enumerate(cameras) for k in camera["streams"]}
    by_stream: dict[int, list[dict[str, Any]]] = {}
    for event in gathered.events:
        by_stream.setdefault(event["stream"], []).append(event)
    streams: list[dict[str, Any]] = []
    for k, (stream, item, frames) in enumerate(zip(gathered.streams, covered, gathered.frames, strict=True)):
        exhibit = exhibits[place[stream.exhibit]]
        laid = lay(stream, frames, item["ticks"], item["problems"])
        events = by_stream.get(k, [])
        clock = clock_facts(clocks, stream.row, exhibit["name"], stream.number, item["duration_s"], item["problems"])
        streams.append(
            {"exhibit": place[stream.exhibit], "reference": exhibit["reference"], "camera": camera_of[k]}
            | _stream(stream, item, gathered.uprights[k])
            | {
                "clock": clock,
                "spans": laid.to_json(stream.time_base),
                "spans_words": laid.words,
                "activity": activity.by_stream_hour(events, item["duration_s"]),
                "activity_by_hour": activity.by_clock_hour(events, clock["segments"]) if clock["known"] else None,
            }
        )
    return {"cameras": cameras, "streams": streams}


def _cameras(
    streams: Sequence[KnownStream], exhibits: Sequence[dict[str, Any]], place: dict[int, int], regions: Regions
) -> list[dict[str, Any]]:
    """Every camera with its streams; two exhibits of one name are one camera only where somebody says so."""
    counts = Counter(stream.exhibit for stream in streams)
    cameras: dict[int | str, dict[str, Any]] = {}
    for k, stream in enumerate(streams):
        exhibit = exhibits[place[stream.exhibit]]
        where = exhibit["name"], exhibit["path"], stream.number
        name = regions.camera_of(*where, several=counts[stream.exhibit] > 1)
        key = k if regions.camera(*where) is None else name
        cameras.setdefault(key, {"name": printable(name), "streams": []})["streams"].append(k)
    return list(cameras.values())


def _stream(stream: KnownStream, item: dict[str, Any], upright: Upright) -> dict[str, Any]:
    """What a stream is, and its ledger; its pictures are added as they are made."""
    width, height = upright.size
    return {
        "stream": stream.number,
        "codec": stream.codec,
        "width": stream.width,
        "height": stream.height,
        "rotation": stream.rotation,
        "time_base": f"{stream.time_base.numerator}/{stream.time_base.denominator}",
        "sample_aspect": f"{stream.sample_aspect.numerator}/{stream.sample_aspect.denominator}",
        "duration_s": item["duration_s"],
        "frames_presented": item["frames_presented"],
        "timed": stream.timed,
        "coverage": {key: item[key] for key in ("states", "frames", "detector_frames", "ticks")},
        "problems": [_problem(stream, one) for one in item["problems"]],
        "background": None,
        "background_s": None,
        "heat": None,
        "heat_words": None,
        "heat_scale": [],
        "shown_width": width,
        "shown_height": height,
    }


def _problem(stream: KnownStream, problem: dict[str, Any]) -> dict[str, Any]:
    """A problem with its end in seconds, where its ticks tell it."""
    at, pts, end = problem["at_s"], problem["pts"], problem["end_pts"]
    whole = None not in (at, pts, end) and end >= pts and problem["kind"] in ("gap", "damage")
    end_s = round(at + float((end - pts) * stream.time_base), 6) if whole else None
    return problem | {"end_s": end_s}


def _exhibit_problems(exhibits: Sequence[dict[str, Any]], ledger: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Problems of exhibits without streams, in the order of both."""
    found = []
    with_streams: dict[str, int] = {}
    names = [exhibit["name"] for exhibit in exhibits]
    for item in ledger:
        if item["stream"] is not None:
            continue
        # names may be given twice: each entry of the ledger goes with the next exhibit of its name
        at = names.index(item["exhibit"], with_streams.get(item["exhibit"], 0))
        with_streams[item["exhibit"]] = at + 1
        found += [{"exhibit": at, "kind": one["kind"], "reason": one["reason"]} for one in item["problems"]]
    return found


def _sums(ledger: Sequence[dict[str, Any]]) -> dict[str, Any]:
    streams = [item for item in ledger if item["stream"] is not None]
    kinds = [{problem["kind"] for problem in item["problems"]} for item in ledger if item["stream"] is None]
    return {
        "footage_s": round(sum(item["duration_s"] for item in streams), 6),
        **{
            state: round(sum(item["states"][state] for item in streams), 6)
            for state in ("analysed_s", "undecodable_s", "gap_s", "not_requested_s")
        },
        "exhibits_unread": sum(not one & {"duplicate", "image", "unfinished"} for one in kinds),
        "exhibits_unfinished": sum("unfinished" in one for one in kinds),
    }
