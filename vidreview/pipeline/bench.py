"""Where the time of a scan goes on this machine, against the cost of merely decoding the file."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import av.error
import numpy as np

from vidreview import environment
from vidreview.detect import Detector
from vidreview.detect.factory import load_detector
from vidreview.errors import CaseError, MediaError, UsageError
from vidreview.media import probe
from vidreview.media.probe import MAX_PIXELS, demux, refusal
from vidreview.media.source import Source
from vidreview.model import FileInfo, StreamInfo
from vidreview.pipeline.observer import ScanSummary
from vidreview.pipeline.scan import scan
from vidreview.settings import ScanSettings

#: how PyAV may spread decoding over threads; each is timed, and the quickest on this file counts
THREADINGS = ("AUTO", "FRAME", "NONE")
#: the stages of a scan, in the order of the street; decode with gate runs beside detect with track
STAGES = ("decode", "gate", "detect", "track")


@dataclass(frozen=True, slots=True)
class Run:
    """One scan."""

    wall_s: float
    #: stage → seconds it was at work, or, for decode, waited for
    busy_s: dict[str, float]

    @property
    def rest_s(self) -> float:
        """Seconds in which the busier half of the scan was not at work.

        Hashing before and after, probing, the index, and waiting for the other half.
        """
        watching = self.busy_s["decode"] + self.busy_s["gate"]
        naming = self.busy_s["detect"] + self.busy_s["track"] + self.busy_s.get("look", 0.0)
        return max(0.0, self.wall_s - max(watching, naming))


@dataclass(frozen=True, slots=True)
class Bench:
    """What was measured."""

    path: Path
    info: FileInfo
    #: seconds and frames of footage that the scan analysed, the bare decoder gave
    footage_s: float
    frames: int
    #: threading → seconds of bare decoding, a value a run
    bare: dict[str, tuple[float, ...]]
    scans: tuple[Run, ...]
    #: seconds until the detector was ready, spent once however many files are scanned
    load_s: float
    #: what the detector is
    model: str
    model_sha256: str
    runtime: str
    #: what of the file could not be read
    problems: tuple[str, ...]

    @property
    def threading(self) -> str:
        """The threading with the lowest median."""
        return min(self.bare, key=lambda kind: statistics.median(self.bare[kind]))

    @property
    def bare_s(self) -> float:
        """Median seconds of bare decoding in the best threading."""
        return statistics.median(self.bare[self.threading])

    @property
    def scan_s(self) -> float:
        """Median seconds of a scan."""
        return statistics.median(run.wall_s for run in self.scans)

    def seconds(self) -> dict[str, float]:
        """Median seconds of each stage, and of the rest."""
        found = {stage: statistics.median(run.busy_s[stage] for run in self.scans) for stage in STAGES}
        return found | {"rest": statistics.median(run.rest_s for run in self.scans)}

    def shares(self) -> dict[str, float]:
        """Median share of the scan's time of each stage, and of the rest; stages overlap, so the sum may exceed 1."""
        found = {stage: statistics.median(run.busy_s[stage] / run.wall_s for run in self.scans) for stage in STAGES}
        return found | {"rest": statistics.median(run.rest_s / run.wall_s for run in self.scans)}

    def to_json(self) -> dict[str, Any]:
        """The object that ``vidreview bench --json`` prints."""
        machine = environment.describe()
        return {
            "file": self.path.name,
            "streams": [_stream(stream) for stream in self.info.streams],
            "footage_s": round(self.footage_s, 3),
            "frames": self.frames,
            "runs": len(self.scans),
            "bare_decode_s": round(self.bare_s, 4),
            "bare_threading": self.threading,
            "scan_s": round(self.scan_s, 4),
            "scan_over_bare": round(self.scan_s / self.bare_s, 3),
            "realtime_factor": round(self.footage_s / self.scan_s, 2),
            "shares": {name: round(value, 4) for name, value in self.shares().items()},
            "seconds": {name: round(value, 4) for name, value in self.seconds().items()},
            "model_load_s": round(self.load_s, 4),
            "model": self.model,
            "model_sha256": self.model_sha256,
            "runtime": self.runtime,
            "version": machine["version"],
            "os": machine["os"],
            "cpu": machine["cpu"],
            "cores": machine["cores"],
            "each": {
                "bare_decode_s": {kind: [round(one, 4) for one in times] for kind, times in self.bare.items()},
                "scan_s": [round(run.wall_s, 4) for run in self.scans],
            },
            "problems": list(self.problems),
        }


def bench(
    path: Path,
    settings: ScanSettings,
    runs: int,
    *,
    detector: Detector | None = None,
    tell: Callable[[str], None] | None = None,
) -> Bench:
    """Decode and scan one file ``runs`` times in turn; the file is only read, and every case is temporary and removed.

    ``detector`` is used instead of the default one, ``tell`` is given a line for people after each run. Raises
    UsageError when there is no such file, EvidenceError or MediaError when nothing of it can be decoded, ModelError
    without a model, CaseError when there is no room for a temporary case, and IntegrityError when the file changes.
    """
    if not path.exists():
        raise UsageError(f"{path}: no such file; nothing was measured")
    if path.is_dir():
        raise UsageError(f"{path} is a folder; name one file that is typical of it")
    info = probe(path)
    detector, load_s = _ready(detector, settings)
    bare: dict[str, list[float]] = {kind: [] for kind in THREADINGS}
    scans: list[Run] = []
    frames = 0
    summary = ScanSummary()
    for number in range(1, runs + 1):
        for kind, times in bare.items():
            began = time.perf_counter()
            frames = decode(path, info.streams, kind)
            times.append(time.perf_counter() - began)
        summary = _scan(path, settings, detector)
        if not summary.seconds_of_footage:
            why = "; ".join(problem["reason"] for problem in summary.problems) or "it holds no frames"
            raise MediaError(f"{path}: no frame could be decoded: {why}; 'vidreview probe' says what the file is")
        scans.append(Run(summary.wall_s, {stage: summary.busy_s.get(stage, 0.0) for stage in STAGES}))
        if tell is not None:
            quickest = min(times[-1] for times in bare.values())
            tell(f"run {number} of {runs}: bare decoding {quickest:.2f} s, scan {summary.wall_s:.2f} s")
    return Bench(
        path=path,
        info=info,
        footage_s=summary.seconds_of_footage,
        frames=frames,
        bare={kind: tuple(times) for kind, times in bare.items()},
        scans=tuple(scans),
        load_s=load_s,
        model=detector.name,
        model_sha256=detector.sha256,
        runtime=detector.runtime,
        problems=tuple(problem["reason"] for problem in summary.problems),
    )


def decode(path: Path, streams: Sequence[StreamInfo], threading: str) -> int:
    """Decode every frame of the video streams and use none; returns how many there were.

    What fails to decode is passed over, as a scan does. Raises EvidenceError or MediaError as ``probe`` does.
    """
    return sum(_decode(path, stream.index, threading) for stream in streams)


def _decode(path: Path, index: int, threading: str) -> int:
    with Source(path) as source:
        stream = next((one for one in source.video_streams() if one.index == index), None)
        if stream is None or stream.codec_context is None:
            return 0
        context = stream.codec_context
        if refusal(context.width, context.height):
            return 0
        context.thread_type = threading
        context.thread_count = 0 if threading != "NONE" else 1
        context.options = {"max_pixels": str(MAX_PIXELS)}
        frames = 0
        for packet in chain(demux(source, [stream], []), (None,)):
            try:
                frames += len(context.decode(packet))
            except (av.error.FFmpegError, OSError, ValueError):
                continue
        return frames


def _ready(detector: Detector | None, settings: ScanSettings) -> tuple[Detector, float]:
    """The detector after its first picture, which takes longer than all others, and the seconds that took."""
    began = time.perf_counter()
    detector = detector or load_detector(None, settings)
    detector.detect([np.full((settings.detect_size, settings.detect_size, 3), 128, np.uint8)])
    return detector, time.perf_counter() - began


def _scan(path: Path, settings: ScanSettings, detector: Detector) -> ScanSummary:
    try:
        folder = tempfile.TemporaryDirectory(prefix="vidreview-bench-")
    except OSError as error:
        raise CaseError(f"cannot make a temporary folder: {error.strerror or error}; set TMPDIR to one") from error
    with folder:
        return scan([path], Path(os.path.realpath(folder.name)) / "case", settings, detector=detector)


def _stream(stream: StreamInfo) -> dict[str, Any]:
    return {
        "index": stream.index,
        "codec": stream.codec,
        "width": stream.width,
        "height": stream.height,
        "fps": None if stream.measured_rate is None else round(stream.measured_rate, 3),
        "duration_s": None if stream.duration_s is None else round(stream.duration_s, 3),
    }
