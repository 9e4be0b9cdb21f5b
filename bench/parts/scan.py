"""Whole scans: vidreview, DVR-Scan and ultralytics on the same films, with what each of them found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bench.environments import environment, versions
from bench.footage import Setting, covered, read_people, score, truth_of
from bench.measure import alternate, median, ratio, spread, tell
from bench.parts.tools import Reading, dvr_scan, outside, scan, ultralytics
from bench.report import Claim, Part, Table, number
from vidreview.media import probe

OURS, DVR, ULTRA = "vidreview", "DVR-Scan", "ultralytics"

#: frames of a long film that ultralytics is given; it does the same work on every frame
STRETCH = 600
#: on quiet footage: so many times faster than each peer, starts so near, false events an hour
QUIET_FASTER = {DVR: 4.0, ULTRA: 25.0}
START_S = 1.0
FALSE_AN_HOUR = 1.0
#: on busy footage: so many times faster than ultralytics, and at most so many person tracks
BUSY_FASTER = {ULTRA: 4.0}
PERSON_TRACKS = 30


@dataclass(frozen=True, slots=True)
class Film:
    """Something to scan."""

    path: Path
    name: str
    #: peer → how many times faster vidreview is to be
    faster: Mapping[str, float]
    #: whether the targets of quiet footage hold for it
    quiet: bool = False
    #: frames for ultralytics, None for all
    stretch: int | None = None


def films(setting: Setting) -> list[Film]:
    """What is scanned; in a quick run everything is short."""
    most = 100 if setting.quick else None
    return [
        Film(setting.clip("one-by-one-person-detection.mp4"), "one-by-one", {}, stretch=most),
        Film(setting.clip("pets09_s2l1.mp4"), "pets09 (busy)", BUSY_FASTER, stretch=most),
        Film(setting.film(10), "10 minutes, quiet", {}, stretch=most or STRETCH),
        Film(setting.film(30), "30 minutes, quiet", QUIET_FASTER, quiet=True, stretch=most or STRETCH),
    ]


def measure(setting: Setting) -> Part:
    """Every film with every program."""
    environment("dvr-scan")
    environment("ultralytics")
    tables, claims, notes = [], [], []
    figures: dict[str, Any] = {}
    for film in films(setting):
        jobs: dict[str, Callable[[], Reading]] = {
            OURS: partial(scan, setting, film.path),
            DVR: partial(dvr_scan, film.path),
            ULTRA: partial(ultralytics, setting, film.path, film.stretch),
        }
        tell(f"scan: {film.name}")
        done = alternate(setting.runs, jobs)
        found = {name: _accuracy(setting, film, runs[-1]) for name, runs in done.items()}
        tables.append(_table(film, done, found))
        claims += _claims(film, done, found)
        frames = probe(film.path).streams[0].packets
        if film.stretch is not None and film.stretch < frames:
            notes.append(
                f"{film.name}: ultralytics was run on the first {film.stretch} of {frames} frames only, and its time "
                "is scaled: the other frames are added at the mean time of one, its start is counted once. What it "
                "would have found was not measured."
            )
        figures[film.name] = {
            name: {"wall_s": [r.wall_s for r in runs], "peak_mb": [r.peak_mb for r in runs], "found": found[name]}
            for name, runs in done.items()
        }
    return Part(
        title="Whole scans",
        about="Each program as a user starts it, from its start to its end: vidreview with its default settings, "
        "DVR-Scan at its defaults without writing clips, ultralytics' `track` at its defaults on every frame with the "
        "ONNX weights that vidreview uses. A film's truth says what a person sees in it.",
        runs=setting.runs,
        tables=tuple(tables),
        claims=tuple(claims),
        commands=(
            "vidreview scan FILM --case CASE --quiet",
            "dvr-scan -i FILM -so -q --ignore-user-config",
            "python bench/drivers/ultralytics_track.py yolo26n.onnx FILM OUT.json",
        ),
        notes=(
            *notes,
            "DVR-Scan names nothing: its events count as motion. Each track of ultralytics counts as one event.",
            "Stray events are those of any class that touch no true event; false seconds are counted by "
            "score_events.py, outside every true event widened by 2 s.",
            "A person is covered when a box of a person track lies on him (IoU 0.5) in half of the frames.",
        ),
        versions=versions("dvr-scan") | versions("ultralytics"),
        figures=figures,
    )


def _accuracy(setting: Setting, film: Film, reading: Reading) -> dict[str, Any]:
    """What a program found, against the truth; empty where that was not measured or there is no truth."""
    truth = truth_of(setting, film.path)
    if reading.events is None:
        return {}
    if "mot_truth" in truth:
        if reading.person_tracks is None:
            return {}
        people = read_people(setting.shared / truth["mot_truth"])
        return {"people": len(people), "covered": covered(people, reading.people), "tracks": reading.person_tracks}
    if "events" not in truth:
        return {}
    found = score(setting, reading.events, truth)
    return found | {"stray": outside(reading.events, truth["events"])}


def _table(film: Film, done: Mapping[str, Sequence[Reading]], found: Mapping[str, Mapping[str, Any]]) -> Table:
    footage = probe(film.path).streams[0].duration_s or 0.0
    ours = [one.wall_s for one in done[OURS]]
    busy = any("people" in one for one in found.values())
    head = ["program", "seconds", "runs differ by", "× real time", "× the time of vidreview", "peak, MiB"]
    head += (
        ["people covered", "person tracks"]
        if busy
        else ["found", "recognised", "stray events", "false s", "false s, motion", "worst start, s"]
    )
    rows = []
    for name, runs in done.items():
        times = [one.wall_s for one in runs]
        rows.append(
            (
                name,
                number(median(times)),
                f"{100 * (spread(times) - 1):.0f} %",
                number(footage / median(times)),
                number(ratio(times, ours)),
                number(median([one.peak_mb for one in runs])),
                *(_busy_cells(found[name]) if busy else _event_cells(found[name])),
            )
        )
    return Table(tuple(head), tuple(rows), f"**{film.name}**, {number(footage)} s")


def _busy_cells(found: Mapping[str, Any]) -> tuple[str, ...]:
    return (f"{found['covered']} of {found['people']}", str(found["tracks"])) if found else ("-",) * 2


def _event_cells(found: Mapping[str, Any]) -> tuple[str, ...]:
    if not found:
        return ("-",) * 6
    return (
        f"{found['found']} of {found['true']}",
        str(found["recognised"]),
        str(found["stray"]),
        number(found["false_s"]),
        number(found["motion_false_s"]),
        number(found["worst_start_error_s"]),
    )


def _claims(film: Film, done: Mapping[str, Sequence[Reading]], found: Mapping[str, Mapping[str, Any]]) -> list[Claim]:
    claims = []
    ours, own = [one.wall_s for one in done[OURS]], found[OURS]
    for peer in (DVR, ULTRA):
        theirs = [one.wall_s for one in done[peer]]
        if peer in film.faster:
            what = f"time of {peer} over vidreview's, {film.name}"
            claims.append(Claim(what, ratio(theirs, ours), film.faster[peer], "higher", " ×"))
        else:
            claims.append(Claim(f"time of a scan, {film.name}", median(ours), median(theirs), "lower", " s", peer))
        peak, its_peak = (median([one.peak_mb for one in done[name]]) for name in (OURS, peer))
        claims.append(Claim(f"peak memory of a scan, {film.name}", peak, its_peak, "lower", " MiB", peer))
        claims += _against(film, peer, own, found[peer])
    if "covered" in own:
        claims.append(Claim(f"people covered, {film.name}", own["covered"], own["people"], "higher"))
        claims.append(Claim(f"person tracks, {film.name}", own["tracks"], PERSON_TRACKS, "lower"))
    if film.quiet and own:
        footage = probe(film.path).streams[0].duration_s or 0.0
        claims.append(Claim(f"visits found, {film.name}", own["found"], own["true"], "higher"))
        claims.append(Claim(f"worst start, {film.name}", own["worst_start_error_s"], START_S, "lower", " s"))
        hourly = own["stray"] * 3600 / footage
        claims.append(Claim(f"stray events an hour, {film.name}", hourly, FALSE_AN_HOUR, "lower"))
    return claims


def _against(film: Film, peer: str, own: Mapping[str, Any], its: Mapping[str, Any]) -> list[Claim]:
    """Accuracy beside a peer's, where both were measured."""
    if not own or not its:
        return []
    if "covered" in own:
        return [
            Claim(f"people covered, {film.name}", own["covered"], its["covered"], "higher", "", peer),
            Claim(f"person tracks, {film.name}", own["tracks"], its["tracks"], "lower", "", peer),
        ]
    false, its_false = (one["false_s"] + one["motion_false_s"] for one in (own, its))
    claims = [
        Claim(f"events found, {film.name}", own["found"], its["found"], "higher", "", peer),
        Claim(f"events recognised, {film.name}", own["recognised"], its["recognised"], "higher", "", peer),
        Claim(f"stray events, {film.name}", own["stray"], its["stray"], "lower", "", peer),
        Claim(f"false seconds of all classes, {film.name}", false, its_false, "lower", " s", peer),
    ]
    if its["found"] >= own["found"]:  # the start of what was not found has no error
        start, its_start = own["worst_start_error_s"], its["worst_start_error_s"]
        claims.append(Claim(f"worst start, {film.name}", start, its_start, "lower", " s", peer))
    return claims
