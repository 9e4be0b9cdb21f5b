"""The programs that are compared, as a user starts them: vidreview, DVR-Scan, ultralytics."""

from __future__ import annotations

import json
import re
import sysconfig
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.environments import environment
from bench.footage import Setting
from bench.measure import BenchError, Child, child
from vidreview.detect.offline import OFFLINE
from vidreview.detect.weights import resolve_model
from vidreview.media import probe

ULTRALYTICS = Path(__file__).resolve().parent.parent / "drivers" / "ultralytics_track.py"

_TIME = re.compile(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)")


@dataclass(frozen=True, slots=True)
class Reading:
    """What a program took for a film, and what it found there."""

    #: of the whole command, from its start to its end; scaled where only a stretch was run
    wall_s: float
    peak_mb: float
    #: class, start_s, end_s; None when only a stretch of the film was run
    events: list[dict[str, Any]] | None = None
    #: frame, from 1 → xyxy of person tracks
    people: dict[int, list[Sequence[float]]] = field(default_factory=dict)
    #: person tracks, None where the program has none
    person_tracks: int | None = None


def vidreview() -> Path:
    """The installed command of this environment."""
    path = Path(sysconfig.get_path("scripts")) / "vidreview"
    if not path.exists():
        raise BenchError(f"no {path.name} beside this Python: run the benchmark with `make bench`")
    return path


def scan_only(setting: Setting, film: Path) -> Child:
    """A scan whose case is thrown away."""
    with _scratch(setting) as folder:
        return child([vidreview(), "scan", film, "--case", Path(folder) / "case", "--quiet"])


def scan(setting: Setting, film: Path) -> Reading:
    """vidreview's own scan and its events and person tracks."""
    with _scratch(setting) as folder:
        case = Path(folder) / "case"
        done = child([vidreview(), "scan", film, "--case", case, "--quiet"])
        events = json.loads(child([vidreview(), "events", "--json", "--case", case]).out)
        tracks = json.loads(child([vidreview(), "tracks", "--json", "--class", "person", "--case", case]).out)
    interval = float(probe(film).streams[0].frame_interval)
    people: dict[int, list[Sequence[float]]] = {}
    for track in tracks:
        for seconds, *box in track["path"]:
            people.setdefault(round(seconds / interval) + 1, []).append(box)
    return Reading(done.wall_s, done.peak_mb, events, people, len(tracks))


def dvr_scan(film: Path) -> Reading:
    """DVR-Scan at its defaults, scanning only."""
    program = environment("dvr-scan") / "dvr-scan"
    done = child([program, "-i", film, "-so", "-q", "--ignore-user-config"])
    return Reading(done.wall_s, done.peak_mb, timecodes(done.out))


def timecodes(text: str) -> list[dict[str, Any]]:
    """The motion events of DVR-Scan's list of timecodes, in which start and end follow each other."""
    times = [int(h) * 3600 + int(m) * 60 + float(s) for h, m, s in _TIME.findall(text)]
    pairs = zip(times[::2], times[1::2], strict=False)
    return [{"class": "motion", "start_s": start, "end_s": end} for start, end in pairs]


def ultralytics(setting: Setting, film: Path, stretch: int | None = None) -> Reading:
    """ultralytics' `track` on every frame, with the ONNX weights that vidreview uses.

    With ``stretch`` it is stopped after so many frames, and the frames that are left are added at the time of one.
    """
    python = environment("ultralytics") / "python"
    stream = probe(film).streams[0]
    with _scratch(setting) as folder:
        out = Path(folder) / "out.json"
        more = [] if stretch is None or stretch >= stream.packets else [str(stretch)]
        env = {**OFFLINE, "YOLO_CONFIG_DIR": folder}
        command: list[str | Path] = [python, ULTRALYTICS, resolve_model(None), film, out, *more]
        done = child(command, env=env, cwd=Path(folder))
        found = json.loads(out.read_text(encoding="utf-8"))
    if more:
        return Reading(lengthened(done.wall_s, found["frame_s"], found["frames"], stream.packets), done.peak_mb)
    events, people = tracks_of(found["rows"], float(stream.frame_interval))
    persons = {number for _, number, kind, _ in found["rows"] if kind == "person"}
    return Reading(done.wall_s, done.peak_mb, events, people, len(persons))


def lengthened(wall_s: float, frame_s: float, frames: int, of: int) -> float:
    """Seconds of a run over ``of`` frames that was stopped after ``frames``; what is only done once is not scaled."""
    if frames < 2:
        raise BenchError(f"ultralytics gave {frames} frame(s), too few to tell its speed")
    return wall_s + frame_s * (of - frames)


def tracks_of(
    rows: Sequence[tuple[int, int, str, Sequence[float]]], interval: float
) -> tuple[list[dict[str, Any]], dict[int, list[Sequence[float]]]]:
    """Each track as one event, and the boxes of persons by frame; rows are frame from 0, id, class, xyxy."""
    spans: dict[tuple[int, str], tuple[int, int]] = {}
    people: dict[int, list[Sequence[float]]] = {}
    for frame, number, kind, box in rows:
        first, last = spans.get((number, kind), (frame, frame))
        spans[number, kind] = min(first, frame), max(last, frame)
        if kind == "person":
            people.setdefault(frame + 1, []).append(box)
    events = [
        {"class": kind, "start_s": first * interval, "end_s": last * interval}
        for (_, kind), (first, last) in spans.items()
    ]
    return events, people


def outside(events: Sequence[Mapping[str, Any]], truth: Sequence[Mapping[str, Any]]) -> int:
    """Events of any class that touch no true event."""
    return sum(not any(e["start_s"] <= t["end_s"] and t["start_s"] <= e["end_s"] for t in truth) for e in events)


def _scratch(setting: Setting) -> tempfile.TemporaryDirectory[str]:
    setting.work.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(prefix="case-", dir=setting.work)
