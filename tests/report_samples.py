"""Reports as the page meets them, made without a scan: any number of events and cameras, odd names, small pictures."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from vidreview.model import Pixels
from vidreview.report.data import script

#: names that try to become markup, script, other text or a broken layout
HOSTILE = (
    '"><img src=x onerror=alert(1)>.mp4',
    "</script><script>document.title='taken'</script>.mp4",
    "\u202e4pm.exe\u202c \u200bcam.avi",
    "x" * 5000 + ".mp4",
    "{{ 7*7 }} ${7*7} javascript:alert(1) &amp; &#60;b&#62;.dav",
)
WIDTH, HEIGHT = 1280, 720
_NINE = 1_773_478_800_000  # 2026-03-14 09:00 of a wall clock
_OFFSET_MS = 127_000
_BASE = 90_000

Facts = dict[str, Any]
Events = list[dict[str, Any]]


@dataclass(frozen=True)
class Shape:
    """What a sample report is made of."""

    events: int = 40
    cameras: int = 3
    #: of each stream
    hours: float = 4.0
    #: cameras whose clock is unknown
    unknown: tuple[int, ...] = (2,)
    names: tuple[str, ...] = HOSTILE
    streams_per_camera: int = 1
    seed: int = 7


def sample(shape: Shape = Shape()) -> tuple[Facts, Events]:
    """The values of window.VIDREVIEW and window.VIDREVIEW_EVENTS."""
    streams = [_stream(shape, k) for k in range(shape.cameras * shape.streams_per_camera)]
    exhibits = [_exhibit(shape, k) for k in range(len(streams))]
    exhibits.append(
        _exhibit(shape, len(streams))
        | {"state": "failed", "reason": "no container that FFmpeg knows", "container": None}
    )
    events = _events(shape, streams, exhibits)
    sums = {
        state: sum(s["coverage"]["states"][state] for s in streams)
        for state in ("analysed_s", "undecodable_s", "gap_s", "not_requested_s")
    }
    facts: Facts = {
        "form": 1,
        "report": {
            "id": hashlib.sha256(repr(shape).encode()).hexdigest(),
            "made_utc": "2026-03-16T09:30:00.000Z",
            "tool": "vidreview 0.1.0",
            "command": "vidreview report --case NMC-1-case --min-score 0.3",
            "filters": ["score at least 0.3"],
            "events_in_case": len(events) + 40,
            "events_in_report": len(events),
        },
        "case": {
            "name": "NMC-1 <b>Harbour Road</b>",
            "references": ["NMC/1", "NMC/2"],
            "operators": ["A. Examiner"],
            "organisations": ["Digital Forensics Unit & Co"],
            "reasons": ["burglary, night of 14 March"],
        },
        "runs": [_run()],
        "exhibits": exhibits,
        "cameras": [
            {
                "name": _camera(shape, c),
                "streams": [k for k in range(len(streams)) if k // shape.streams_per_camera == c],
            }
            for c in range(shape.cameras)
        ],
        "streams": streams,
        "problems": [{"exhibit": len(streams), "kind": "unreadable", "reason": "no container that FFmpeg knows"}],
        "integrity": {
            "audit_head": "c0ffee" * 10 + "beef",
            "audit_entries": 812,
            "checked": [{"what": exhibit["name"], "result": "as recorded"} for exhibit in exhibits[:2]],
            "words": ["The chain of the audit log is whole.", "Two exhibits were hashed again for this report."],
        },
        "method": {
            "words": [
                "Every frame was decoded; what moved, block by block against a background that adapts, was looked at "
                "by a detector of persons and vehicles.",
                "Tracks begin when something begins to show, often before it is first recognised.",
            ],
            "limits": [
                "Detectors miss people who are far away, half hidden, in the dark or under infra-red light.",
                "What neither moves nor is recognised is not found.",
            ],
            "recall": {
                "words": "Of 40 labelled objects 36 were found: recall 0.90, 95 % interval 0.77 to 0.96.",
                "rows": [{"class": "person", "truth": 30, "found": 27, "recall": 0.9, "interval": [0.744, 0.965]}],
                "stale": True,
                "why": "the settings differ: detect_size",
            },
        },
        "ledger": {"footage_s": sum(s["duration_s"] for s in streams), **sums, "exhibits_unread": 1},
    }
    return facts, events


def write(
    folder: Path, facts: Facts, events: Events, pictures: Sequence[Pixels] | None = None, clip: Path | None = None
) -> Path:
    """Write a report with this data into a folder, every event's pictures as files of their own; its index.html.

    ``pictures`` are BGR frames to make them of; ``clip`` is what plays.
    """
    from vidreview.report import page

    for name in ("data", "view", "evidence", "js"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for name, content in page.files(facts).items():
        (folder / name).write_bytes(content)
    (folder / "data" / "case.js").write_bytes(script("VIDREVIEW", facts))
    (folder / "data" / "events.js").write_bytes(script("VIDREVIEW_EVENTS", events))
    _pictures(folder, facts, events, pictures or [wall(k) for k in range(4)])
    if clip is not None:
        for event in events:
            if event["clip"]:
                (folder / event["clip"]["src"]).write_bytes(clip.read_bytes())
                break
    return folder / "index.html"


def h264(path: Path, seconds: int = 4, rate: int = 10) -> Path:
    """A short H.264 film in MP4 as viewing copies are: a square that moves by one step each frame."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        stream.options = {"preset": "ultrafast", "g": "10"}
        for k in range(seconds * rate):
            picture = np.full((180, 320, 3), 90, np.uint8)
            picture[60:120, k * 5 : k * 5 + 40] = (20, 20, 230)
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts, frame.time_base = k, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def wall(seed: int) -> Pixels:
    """A picture with some texture and one dark figure, (360, 640, 3) BGR."""
    chance = np.random.default_rng(seed)
    grey = cv2.resize(chance.normal(110, 25, (18, 32)), (640, 360), interpolation=cv2.INTER_CUBIC).clip(0, 255)
    picture = np.ascontiguousarray(np.repeat(grey.astype(np.uint8)[:, :, None], 3, axis=2))
    cv2.rectangle(picture, (100 + 90 * (seed % 5), 140), (130 + 90 * (seed % 5), 240), (40, 40, 60), -1)
    return picture


def _name(shape: Shape, number: int) -> str:
    return shape.names[number] if number < len(shape.names) else f"ch{number + 1:02}_20260314090000.mp4"


def _camera(shape: Shape, number: int) -> str:
    return _name(shape, number) if number < min(2, len(shape.names)) else f"Camera {number + 1} – yard"


def _exhibit(shape: Shape, number: int) -> dict[str, Any]:
    name = _name(shape, number)
    return {
        "exhibit": number + 1,
        "name": name,
        "path": f"/evidence/NMC-1/{name}",
        "reference": f"NMC/{number + 1}",
        "size": 4_000_000_000 + number,
        "sha256": hashlib.sha256(name.encode()).hexdigest(),
        "state": "done",
        "reason": None,
        "duplicate_of": None,
        "container": "mov,mp4,m4a,3gp,3g2,mj2",
        "other_hashes": {"md5": "0" * 32} if number == 0 else {},
    }


def _run() -> dict[str, Any]:
    return {
        "run": 1,
        "started_utc": "2026-03-15T08:00:00.000Z",
        "finished_utc": "2026-03-15T11:42:10.500Z",
        "state": "done",
        "version": "0.1.0",
        "settings": {"detect_size": 640, "detect_every_s": 0.3, "high_score": 0.4, "merge_gap_s": 1.0},
        "settings_sha256": "a" * 64,
        "model": {"name": "yolo26n", "file": "<yolo26n>.onnx"},
        "model_sha256": "b" * 64,
        "environment": {"python": "3.11.9", "av": "15.0.0", "os": "Linux", "cpu": "x86_64"},
        "argv": ["vidreview", "scan", "/evidence/NMC-1"],
    }


def _stream(shape: Shape, number: int) -> dict[str, Any]:
    camera, part = divmod(number, shape.streams_per_camera)
    length = shape.hours * 3600
    start = _NINE + camera * 600_000 + round(part * length * 1000)
    known = camera not in shape.unknown
    marks = (0.0, 0.35, 0.4, 0.7, 0.73, 0.96, 1.0)
    kinds = ("analysed", "gap", "analysed", "undecodable", "analysed", "not_requested")
    spans: list[dict[str, Any]] = [
        {"state": kind, "start_s": a * length, "end_s": b * length}
        for kind, a, b in zip(kinds, marks, marks[1:], strict=False)
    ]
    states = {f"{kind}_s": sum(s["end_s"] - s["start_s"] for s in spans if s["state"] == kind) for kind in set(kinds)}
    hours = [
        {"hour": h, "person": 300.0 * ((h + camera) % 4), "vehicle": 500.0 * (h % 3), "motion": 60.0 * (h % 2)}
        for h in range(max(1, int(shape.hours)))
    ]
    at = start - start % 3_600_000
    return {
        "exhibit": number,
        "stream": 0,
        "camera": camera,
        "codec": "h264",
        "width": WIDTH,
        "height": HEIGHT,
        "shown_width": WIDTH,
        "shown_height": HEIGHT,
        "rotation": 0,
        "time_base": f"1/{_BASE}",
        "sample_aspect": "1/1",
        "duration_s": length,
        "frames_presented": int(length * 25),
        "timed": True,
        "clock": {
            "known": known,
            "words": [
                "Recorder is 2 min 07 s FAST; subtract.",
                "Read off the picture against the speaking clock by A. Examiner; bound 1.5 s.",
            ]
            if known
            else ["Time of day unknown: nobody has read this recorder's clock."],
            "shown_start_ms": start if known else None,
            "corrected_start_ms": start - _OFFSET_MS if known else None,
            "utc_start_ms": start - _OFFSET_MS if known else None,
            "uncertainty_s": 1.5 if known else None,
            "segments": [],
            "steps": [],
        },
        "spans": spans,
        "coverage": {
            "states": states,
            "frames": {"decoded": int(length * 23), "damaged": 12, "missing": 2262},
            "detector_frames": 4_000,
        },
        "problems": [
            {
                "kind": "gap",
                "reason": "the timestamps step over a gap",
                "at_s": marks[1] * length,
                "end_s": marks[2] * length,
                "pts": 7,
            },
            {
                "kind": "damage",
                "reason": "12 frames are damaged",
                "at_s": marks[3] * length,
                "end_s": None,
                "pts": None,
            },
            {
                "kind": "rate",
                "reason": "declares 1000 frames per second, timestamps give 25",
                "at_s": None,
                "end_s": None,
                "pts": None,
            },
        ],
        "activity": hours,
        "activity_by_hour": [each | {"hour": at + each["hour"] * 3_600_000} for each in hours] if known else None,
        "background": f"view/s{number + 1}_background_VIEW.jpg",
        "background_s": 12.5,
        "heat": f"view/s{number + 1}_heat_VIEW.png",
        "heat_scale": [
            {"s": 4.1, "colour": "#3b0f70"},
            {"s": 13.0, "colour": "#de4968"},
            {"s": 41.0, "colour": "#fcfdbf"},
        ],
        "heat_words": "Yellow where something stayed longest, 41 s in one place; violet a tenth of that; "
        "none where nothing was followed.",
    }


def _events(shape: Shape, streams: list[dict[str, Any]], exhibits: list[dict[str, Any]]) -> Events:
    chance, events = random.Random(shape.seed), []
    starts = sorted((k % len(streams), chance.uniform(0, shape.hours * 3600 - 320)) for k in range(shape.events))
    for number, (place, begin) in enumerate(starts, 1):
        events.append(_event(number, place, round(begin, 3), streams[place], exhibits[place], chance))
    return events


def _event(
    number: int, place: int, begin: float, stream: dict[str, Any], exhibit: dict[str, Any], chance: random.Random
) -> dict[str, Any]:
    kind = chance.choices(("person", "vehicle", "motion"), (5, 4, 2))[0]
    label = chance.choice(("car", "truck", "bus", "bicycle")) if kind == "vehicle" else kind
    length = round(chance.choice((2.4, 8.1, 31.0, 300.0)) * chance.uniform(0.8, 1.2), 3)
    end, name, lost = begin + length, f"E{number:04d}", number % 23 == 5
    wall_times = {"shown": 0, "corrected": -_OFFSET_MS, "utc": -_OFFSET_MS}
    start = stream["clock"]["shown_start_ms"]
    known = start is not None
    instants = (
        {base: [start + by + begin * 1000, start + by + end * 1000] for base, by in wall_times.items()} if known else {}
    )
    twice = known and number % 11 == 3
    utc = [instants["utc"]] if known else []
    return {
        "id": name,
        "stream": place,
        "class": kind,
        "label": label,
        "start_pts": round(begin * _BASE),
        "end_pts": round(end * _BASE),
        "time_base": f"1/{_BASE}",
        "start_s": begin,
        "end_s": end,
        "peak_s": begin + length / 2,
        "shown": instants.get("shown"),
        "shown_uncertainty_s": 1.0 if known else None,
        "corrected": instants.get("corrected"),
        "corrected_uncertainty_s": 1.5 if known else None,
        "utc": [*utc, [each + 3_600_000 for each in utc[0]]] if twice else utc,
        "utc_uncertainty_s": 1.5 if known else None,
        "time_words": "Displayed time read off the picture by A. Examiner." if known else "Time of day unknown.",
        "score": None if kind == "motion" else round(chance.uniform(0.3, 0.95), 3),
        "max_count": chance.randint(1, 4),
        "tracks": [_track(number, kind, label, begin, length, chance)],
        "review": {
            "state": "relevant" if number == 2 else "unreviewed",
            "by": "B. Reviewer" if number == 2 else None,
            "utc": "2026-03-15T10:00:00.000Z" if number == 2 else None,
            "note": "red coat <i>?</i> =1+1" if number == 2 else None,
        },
        "exhibit_sha256": exhibit["sha256"],
        "still": None
        if lost
        else {
            "src": f"view/{name}_VIEW.jpg",
            "w": 640,
            "h": 360,
            "evidence": f"evidence/{name}.png",
            "sha256": "d" * 64,
        },
        "thumb": None if lost else f"view/{name}_thumb_VIEW.jpg",
        "strip": None
        if lost
        else {
            "src": f"view/{name}_strip_VIEW.jpg",
            "w": 160,
            "h": 90,
            "times": [round(begin + length * k / 7, 3) for k in range(8)],
        },
        "clip": None if lost else {"src": f"view/{name}_VIEW.mp4", "type": "video/mp4", "start_s": begin, "end_s": end},
        "copy": None
        if lost
        else {
            "src": f"evidence/{name}_copy.mp4",
            "sha256": "e" * 64,
            "packets": 89,
            "start_s": max(0.0, begin - 1),
            "end_s": end,
        },
        "missing": "the exhibit was not found where it was scanned" if lost else None,
    }


def _track(number: int, kind: str, label: str, begin: float, length: float, chance: random.Random) -> dict[str, Any]:
    x, y, drift = chance.randint(0, 900), chance.randint(80, 500), chance.choice((-60, -30, 25, 50))
    path = [
        [round(begin + length * k / 11, 2), max(0, min(1220, x + k * drift)), y + k * 4, 60, 120] for k in range(12)
    ]
    return {"id": f"T{number:04d}", "class": kind, "label": label, "path": path}


def _pictures(folder: Path, facts: Facts, events: Events, pictures: Sequence[Pixels]) -> None:
    """Encode each picture once and write it for every event that uses it."""
    stills, thumbs, strips = [], [], []
    for k in range(len(pictures)):
        still = cv2.resize(pictures[k], (640, 360))
        course = [cv2.resize(pictures[(k + j) % len(pictures)], (160, 90)) for j in range(8)]
        stills.append(_jpeg(still))
        thumbs.append(_jpeg(cv2.resize(still, (240, 135))))
        strips.append(_jpeg(np.concatenate(course, axis=1)))
    for n, event in enumerate(events):
        k = n % len(pictures)
        for key, content in (("still", stills), ("strip", strips)):
            if event[key]:
                (folder / event[key]["src"]).write_bytes(content[k])
        if event["thumb"]:
            (folder / event["thumb"]).write_bytes(thumbs[k])
    for n, stream in enumerate(facts["streams"]):
        if stream["background"]:
            (folder / stream["background"]).write_bytes(_jpeg(cv2.resize(pictures[n % len(pictures)], (WIDTH, HEIGHT))))
        if stream["heat"]:
            (folder / stream["heat"]).write_bytes(_heat(n))


def _heat(seed: int) -> bytes:
    rows, columns = np.mgrid[0:HEIGHT:4, 0:WIDTH:4]
    dwell = np.exp(-(((columns - 500 - 90 * seed) / 300) ** 2) - ((rows - 450) / 90) ** 2)
    colours = cv2.applyColorMap((dwell * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
    layer = np.dstack([colours, (np.clip(dwell * 2, 0, 0.8) * 255).astype(np.uint8)])
    return bytes(cv2.imencode(".png", cv2.resize(layer, (WIDTH, HEIGHT)))[1].tobytes())


def _jpeg(picture: Any) -> bytes:
    return bytes(cv2.imencode(".jpg", picture)[1].tobytes())
