"""Synthetic reports: any number of events, hostile names among them, without a scan and without decoding."""

from __future__ import annotations

import hashlib
import json
import random
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from tests.films import film, wall
from vidreview.report.data import plain, script
from vidreview.report.render import render

#: names as nobody wishes to meet them
HOSTILE = (
    '"><img src=x onerror=alert(1)>.mp4',
    "</script><script>alert(2)</script>.mp4",
    "=HYPERLINK(0).mp4",
    "caf\udce9 \u202egpj.exe\x1b[31m.avi",
    "{{ 7*7 }} ${7*7} `x` \u2028 'q' \\.dav",
    "a" * 240 + ".mp4",
)
_START_MS = 1_773_500_400_000  # 2026-03-14T15:00:00Z
_DAY_S = 86400.0
_BASE = 90000


def value_of(script: str) -> Any:
    """The JSON value that a data file's script sets, read as a browser reads the string in it."""
    quoted = script.partition(" = JSON.parse('")[2].removesuffix("');\n")
    return json.loads(re.sub(r"\\(.)", r"\1", quoted))


def synthetic(count: int, *, seed: int = 1, cameras: int = 6) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The values of window.VIDREVIEW and window.VIDREVIEW_EVENTS for ``count`` events of so many cameras.

    Camera 2 has no clock; every other kind of gap, damage and missing picture occurs. Pictures are those that
    ``write_synthetic`` writes.
    """
    chance = random.Random(seed)
    streams = [_stream(k) for k in range(cameras)]
    events = [_event(k + 1, k * cameras // count, streams, chance) for k in range(count)]
    facts = {
        "form": 1,
        "report": {
            "id": hashlib.sha256(f"{seed}/{count}".encode()).hexdigest(),
            "made_utc": "2026-03-16T09:30:00.000Z",
            "tool": "vidreview 0.1.0",
            "command": "vidreview report --case case",
            "filters": ["class person or vehicle", "score at least 0.3"],
            "events_in_case": count + 40,
            "events_in_report": count,
            "provisional_left_out": 0,
        },
        "case": {
            "name": "NMC-1 <b>case</b>",
            "references": ["NMC/1"],
            "operators": ["A. Examiner"],
            "organisations": ["Unit & Co"],
            "reasons": ["burglary, 14 March"],
        },
        "runs": [_run()],
        "exhibits": [_exhibit(k) for k in range(cameras)]
        + [_exhibit(cameras, "failed", "no container that FFmpeg knows")],
        "cameras": [{"name": stream["camera_name"], "streams": [k]} for k, stream in enumerate(streams)],
        "streams": streams,
        "problems": [{"exhibit": cameras, "kind": "unreadable", "reason": "no container that FFmpeg knows"}],
        "integrity": {
            "audit_head": "c" * 64,
            "audit_entries": 812,
            "checked": [
                {"what": "audit log", "result": "as recorded"},
                {"what": _name(0), "result": "as recorded"},
                {"what": _name(1), "result": "not hashed again"},
            ],
            "words": ["The chain of the audit log is whole.", "One exhibit of 7 was hashed again for this report."],
        },
        "method": {
            "words": ["Every frame was decoded.", "What moved was looked at by a detector of persons and vehicles."],
            "limits": ["Detectors miss people at night and cars from above.", "No detection is no proof of absence."],
            "recall": {
                "words": "Of 40 labelled objects 36 were found: recall 0.90, 95 % interval 0.77 to 0.96.",
                "rows": [{"class": "person", "truth": 30, "found": 27, "recall": 0.9, "interval": [0.744, 0.965]}],
                "stale": True,
                "why": "the settings differ: detect_size",
            },
        },
        "ledger": {
            "footage_s": _DAY_S * cameras,
            "analysed_s": sum(stream["coverage"]["states"]["analysed_s"] for stream in streams),
            "undecodable_s": sum(stream["coverage"]["states"]["undecodable_s"] for stream in streams),
            "gap_s": sum(stream["coverage"]["states"]["gap_s"] for stream in streams),
            "not_requested_s": 0.0,
            "exhibits_unread": 1,
        },
    }
    for stream in streams:
        del stream["camera_name"]
    result = plain(facts), plain(events)
    assert isinstance(result[0], dict)
    assert isinstance(result[1], list)
    return result


def write_synthetic(folder: Path, count: int, **options: Any) -> Path:
    """Write such a report into ``folder``, the page too where there is one; the path of its page."""
    facts, events = synthetic(count, **options)
    for name in ("data", "view", "evidence"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "data" / "case.js").write_bytes(script("VIDREVIEW", facts))
    (folder / "data" / "events.js").write_bytes(script("VIDREVIEW_EVENTS", events))
    _pictures(folder / "view", len(facts["streams"]))
    film(folder / "view" / "clip_VIEW.mp4", 40, [(5, 35)])
    for name, content in render(facts).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder / "index.html"


def _name(number: int) -> str:
    return HOSTILE[number] if number < len(HOSTILE) else f"camera-{number}.mp4"


def _run() -> dict[str, Any]:
    return {
        "run": 1,
        "started_utc": "2026-03-15T08:00:00.000Z",
        "finished_utc": "2026-03-15T11:42:10.500Z",
        "state": "done",
        "version": "0.1.0",
        "settings": {"detect_size": 640, "detect_every_s": 0.3},
        "settings_sha256": "a" * 64,
        "model": {"name": "yolo26n", "path": "/models/<yolo26n>.onnx"},
        "model_sha256": "b" * 64,
        "environment": {"python": "3.11.9", "av": "15.0.0", "os": "Linux", "cpu": "x86_64"},
        "argv": ["vidreview", "scan", "/evidence"],
    }


def _exhibit(number: int, state: str = "done", reason: str | None = None) -> dict[str, Any]:
    return {
        "exhibit": number + 1,
        "name": _name(number),
        "path": f"/evidence/{_name(number)}",
        "reference": f"NMC/{number + 1}",
        "size": 4_000_000_000 + number,
        "sha256": hashlib.sha256(_name(number).encode("utf-8", "surrogateescape")).hexdigest(),
        "state": state,
        "reason": reason,
        "duplicate_of": None,
        "container": None if state == "failed" else "mov,mp4,m4a,3gp,3g2,mj2",
        "other_hashes": {"md5": "0" * 32} if number == 0 else {},
    }


def _stream(number: int) -> dict[str, Any]:
    known = number != 2
    start = _START_MS + number * 900_000
    spans = [
        ("analysed", 0.0, 30000.0),
        ("gap", 30000.0, 30600.0),
        ("analysed", 30600.0, 50000.0),
        ("undecodable", 50000.0, 50090.5),
        ("analysed", 50090.5, _DAY_S),
    ]
    return {
        "camera_name": f"camera {number + 1}" if number else _name(0),
        "exhibit": number,
        "reference": f"NMC/{number + 1}",
        "stream": 0,
        "camera": number,
        "codec": "h264",
        "width": 1280,
        "height": 720,
        "rotation": 0,
        "time_base": f"1/{_BASE}",
        "sample_aspect": "1/1",
        "duration_s": _DAY_S,
        "frames_presented": 2_160_000,
        "timed": True,
        "clock": {
            "known": known,
            "words": ["recorder is 2 min 07 s FAST; subtract"] if known else ["the recorder's clock is unknown"],
            "shown_start_ms": start if known else None,
            "corrected_start_ms": start - 127_000 if known else None,
            "utc_start_ms": start - 127_000 if known else None,
            "uncertainty_s": 1.5 if known else None,
            "steps": [],
            "segments": [
                {
                    "start_s": 0.0,
                    "end_s": _DAY_S,
                    "shown_ms": start,
                    "corrected_ms": start - 127_000,
                    "utc_ms": start - 127_000,
                }
            ]
            if known
            else [],
        },
        "spans": [{"state": state, "start_s": begin, "end_s": end} for state, begin, end in spans],
        "spans_words": None,
        "coverage": {
            "states": {"analysed_s": 85709.5, "undecodable_s": 90.5, "gap_s": 600.0, "not_requested_s": 0.0},
            "frames": {"decoded": 2_142_000, "damaged": 12, "missing": 2262},
            "detector_frames": 40_000,
        },
        "problems": [
            {"kind": "gap", "reason": "nothing was recorded", "at_s": 30000.0, "end_s": 30600.0, "pts": 2_700_000_000},
            {"kind": "damage", "reason": "12 frames are damaged", "at_s": 50000.0, "end_s": None, "pts": None},
        ],
        "activity": [
            {"hour": h, "person": 40.0 * (h % 7), "vehicle": 90.0 * (h % 5), "motion": 12.0 * (h % 3)}
            for h in range(24)
        ],
        "activity_by_hour": [
            {"hour": start - start % 3_600_000 + h * 3_600_000, "person": 40.0 * (h % 7), "vehicle": 9.0, "motion": 2.0}
            for h in range(24)
        ]
        if known
        else None,
        "background": f"view/s{number + 1}_background_VIEW.jpg",
        "background_s": 12.5,
        "heat": f"view/s{number + 1}_heat_VIEW.png",
        "heat_words": "Dark purple is 0.1 s or less, light yellow 41.0 s, the longest at one place.",
        "heat_scale": [
            {"s": 0.1, "colour": "#57106e"},
            {"s": 1, "colour": "#bc3754"},
            {"s": 41.0, "colour": "#fcffa4"},
        ],
        "shown_width": 1280,
        "shown_height": 720,
    }


def _event(number: int, place: int, streams: list[dict[str, Any]], chance: random.Random) -> dict[str, Any]:
    stream = streams[place]
    kind = chance.choices(("person", "vehicle", "motion"), (4, 5, 1))[0]
    label = chance.choice(("car", "truck", "bus", "bicycle")) if kind == "vehicle" else kind
    length = chance.choice((2.0, 8.0, 30.0, 300.0))
    begin = chance.uniform(0, _DAY_S - length)
    known, start = stream["clock"]["known"], stream["clock"]["shown_start_ms"] or 0
    lost = number % 97 == 13
    state = ("unreviewed", "unreviewed", "unreviewed", "relevant", "not relevant", "unsure")[number % 6]
    name = f"E{number:04d}"
    return {
        "id": name,
        "stream": place,
        "exhibit": _name(place),
        "reference": stream["reference"],
        "class": kind,
        "label": label,
        "start_pts": round(begin * _BASE),
        "end_pts": round((begin + length) * _BASE),
        "time_base": f"1/{_BASE}",
        "start_s": round(begin, 6),
        "end_s": round(begin + length, 6),
        "peak_s": round(begin + length / 2, 6),
        "shown": [_iso(start + begin * 1000), _iso(start + (begin + length) * 1000)] if known else None,
        "shown_uncertainty_s": 1.0 if known else None,
        "corrected": [_iso(start - 127e3 + begin * 1000), _iso(start - 127e3 + (begin + length) * 1000)]
        if known
        else None,
        "corrected_uncertainty_s": 1.5 if known else None,
        "utc": [[_iso(start - 127e3 + begin * 1000) + "Z", _iso(start - 127e3 + (begin + length) * 1000) + "Z"]]
        if known
        else [],
        "utc_uncertainty_s": 1.5 if known else None,
        "time_words": "read off the picture by A. Examiner" if known else "unknown",
        "score": None if kind == "motion" else round(chance.uniform(0.3, 0.95), 3),
        "max_count": chance.randint(1, 4),
        "tracks": [_track(number, kind, label, begin, length, chance)],
        "review": {
            "state": state,
            "by": None if state == "unreviewed" else "B. Reviewer",
            "utc": None if state == "unreviewed" else "2026-03-15T10:00:00.000Z",
            "note": "red coat <i>?</i> =1+1" if state == "relevant" else None,
        },
        "exhibit_sha256": hashlib.sha256(_name(place).encode("utf-8", "surrogateescape")).hexdigest(),
        "still": None
        if lost
        else {
            "src": f"view/still{number % 8}_VIEW.jpg",
            "w": 640,
            "h": 384,
            "evidence": None,
            "sha256": None,
            "damaged": number % 50 == 7,
        },
        "thumb_crop": None if lost else [320, 180, 640, 360],
        "thumb": None if lost else f"view/thumb{number % 8}_VIEW.jpg",
        "strip": None
        if lost
        else {
            "src": f"view/strip{number % 8}_VIEW.jpg",
            "w": 160,
            "h": 96,
            "times": [round(begin + length * k / 7, 3) for k in range(8)],
            "crop": [0, 0, 1280, 720],
            "damaged": [2] if number % 50 == 7 else [],
        },
        "clip": None
        if lost
        else {
            "src": "view/clip_VIEW.mp4",
            "type": "video/mp4",
            "start_s": round(begin, 6),
            "end_s": round(begin + 3.9, 6),
        },
        "copy": None,
        "missing": "the exhibit was not found where it was scanned" if lost else None,
    }


def _track(number: int, kind: str, label: str, begin: float, length: float, chance: random.Random) -> dict[str, Any]:
    x, y, drift = chance.randint(0, 900), chance.randint(0, 500), chance.randint(-30, 30)
    path = [
        [round(begin + length * k / 11, 2), max(0, min(1200, x + k * drift)), y + k * 2, 60, 120] for k in range(12)
    ]
    return {"id": f"T{number:04d}", "class": kind, "label": label, "path": path}


def _iso(milliseconds: float) -> str:
    moment = np.datetime64(round(milliseconds), "ms")
    return str(moment)


def _pictures(folder: Path, streams: int) -> None:
    background = cv2.resize(wall(), (640, 384))
    for k in range(8):
        picture = background.copy()
        cv2.rectangle(picture, (60 * k, 150), (60 * k + 50, 260), (40, 40, 200), -1)
        _jpeg(folder / f"still{k}_VIEW.jpg", picture)
        _jpeg(folder / f"thumb{k}_VIEW.jpg", cv2.resize(picture, (240, 144)))
        small = cv2.resize(picture, (160, 96))
        _jpeg(folder / f"strip{k}_VIEW.jpg", np.concatenate([np.roll(small, 8 * j, axis=1) for j in range(8)], axis=1))
    for k in range(streams):
        _jpeg(folder / f"s{k + 1}_background_VIEW.jpg", cv2.resize(background, (1280, 720)))
        heat = np.zeros((720, 1280, 4), np.uint8)
        cv2.ellipse(heat, (640, 500), (400, 90), 0, 0, 360, (60, 120, 240, 160), -1)
        (folder / f"s{k + 1}_heat_VIEW.png").write_bytes(cv2.imencode(".png", heat)[1].tobytes())


def _jpeg(path: Path, picture: Any) -> None:
    path.write_bytes(cv2.imencode(".jpg", picture)[1].tobytes())
