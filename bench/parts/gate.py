"""Decoding with the motion gate against bare decoding, clip by clip."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Any

import av

from bench.footage import Setting
from bench.measure import alternate, median, ratio, spread, tell
from bench.report import Claim, Part, Table, number
from vidreview.media import open_frames, probe
from vidreview.model import StreamInfo
from vidreview.pipeline.stream import GateWalk
from vidreview.settings import ScanSettings

#: decode + gate may cost so many times bare decoding
MOST = 1.25

THREADINGS = ("AUTO", "FRAME", "NONE")


def bare(path: Path, threading: str) -> float:
    """Seconds in which PyAV decodes the first video stream, as a user would write it."""
    began = time.perf_counter()
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = threading
        stream.codec_context.thread_count = 0 if threading != "NONE" else 1
        for _ in container.decode(stream):
            pass
    return time.perf_counter() - began


def gated(path: Path, info: StreamInfo) -> float:
    """Seconds in which vidreview decodes the same stream and its motion gate sees every frame."""
    began = time.perf_counter()
    with open_frames(path, info) as frames:
        for _ in GateWalk(frames, ScanSettings())():
            pass
    return time.perf_counter() - began


def often(seconds: float) -> int:
    """How many times more often something so short is measured."""
    return max(1, min(5, round(1 / seconds)))


def measure(setting: Setting) -> Part:
    """All clips, or in a quick run the smallest one."""
    clips = setting.clips()
    if setting.quick:
        clips = [min(clips, key=lambda path: path.stat().st_size)]
    rows, claims = [], []
    figures: dict[str, Any] = {}
    for clip in clips:
        tell(f"gate: {clip.name}")
        info = probe(clip).streams[0]
        gated(clip, info)  # not timed: what is only done once
        runs = setting.runs * often(gated(clip, info))
        jobs = {kind: partial(bare, clip, kind) for kind in THREADINGS}
        times = alternate(runs, {**jobs, "gate": partial(gated, clip, info)})
        best = min(THREADINGS, key=lambda kind: median(times[kind]))
        share = ratio(times["gate"], times[best])
        footage = info.duration_s or 0.0
        rows.append(
            (
                clip.name,
                f"{info.codec} {info.width}x{info.height}",
                f"{number(median(times[best]))} ({best})",
                number(median(times["gate"])),
                f"**{number(share)}**",
                number(footage / median(times["gate"])),
                f"{100 * (max(spread(times[best]), spread(times['gate'])) - 1):.0f} %",
                str(runs),
            )
        )
        claims.append(Claim(f"decode + gate over bare decoding, {clip.name}", share, MOST, "lower", " ×"))
        figures[clip.name] = times
    head = ("clip", "codec", "bare decoding, s", "decode + gate, s", "ratio", "× real time", "runs differ by", "runs")
    return Part(
        title="Motion gate",
        about="Decoding every frame with vidreview and passing it through the motion gate, against decoding the same "
        "file with PyAV alone. Bare decoding was measured with each of PyAV's threadings; the fastest counts.",
        runs=setting.runs,
        tables=(Table(head, tuple(rows)),),
        claims=tuple(claims),
        notes=(
            "Short clips are decoded more often, since a short time is told less well.",
            "Reading the packets' times first (`vidreview probe`), once a file, is not in these figures.",
        ),
        figures=figures,
    )
