"""A scan: every file of the sources, from its identity to its events."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from vidreview import environment
from vidreview.audit import AuditLog
from vidreview.detect import Detector
from vidreview.detect.factory import load_detector
from vidreview.errors import EvidenceError, IntegrityError, MediaError, UsageError, VidreviewError
from vidreview.events import Appearance, appearance, assemble
from vidreview.evidence import Exhibit, Found, Unreadable, check_unchanged, discover, identify
from vidreview.index import Case, refuse_overlap
from vidreview.media import open_frames, probe
from vidreview.model import Coverage, FileInfo, Problem, StreamInfo, Track
from vidreview.pipeline.ahead import ahead
from vidreview.pipeline.preview import preview
from vidreview.pipeline.stream import GateWalk, StreamWalk, frames_ahead
from vidreview.settings import ScanSettings

#: raw detections are written in batches of about this many
BATCH = 2000


class Observer(Protocol):
    """Told how a scan goes; it prints, the pipeline does not."""

    def begin(self, files: int, size: int) -> None:
        """So many files, of so many bytes together, are to be looked at."""

    def exhibit(self, name: str, size: int) -> None:
        """The next file begins."""

    def progress(self, share: float, seconds: float) -> None:
        """This ``share`` of the file is done; ``seconds`` more footage has been scanned."""

    def provisional(self, name: str, events: int) -> None:
        """The busiest stretches of a stream have been looked at, and so many provisional events are in the case."""

    def problem(self, path: str, reason: str) -> None:
        """Something of a file could not be read."""

    def done(self, name: str, events: int, skipped: bool) -> None:
        """The file is finished; ``skipped`` when an earlier run had finished it."""


class Silent:
    """An observer that says nothing."""

    def begin(self, files: int, size: int) -> None:
        """Nothing."""

    def exhibit(self, name: str, size: int) -> None:
        """Nothing."""

    def progress(self, share: float, seconds: float) -> None:
        """Nothing."""

    def provisional(self, name: str, events: int) -> None:
        """Nothing."""

    def problem(self, path: str, reason: str) -> None:
        """Nothing."""

    def done(self, name: str, events: int, skipped: bool) -> None:
        """Nothing."""


@dataclass(slots=True)
class ScanSummary:
    """What a scan did."""

    run: int = 0
    exhibits: int = 0
    skipped: int = 0
    events: int = 0
    seconds_of_footage: float = 0.0
    wall_s: float = 0.0
    #: stage → seconds it was at work; stages work side by side
    busy_s: dict[str, float] = field(default_factory=dict)
    #: path and reason of everything that could not be fully read
    problems: list[dict[str, str]] = field(default_factory=list)

    def spent(self, stage: str, seconds: float) -> None:
        """Count ``seconds`` of work of a stage."""
        self.busy_s[stage] = self.busy_s.get(stage, 0.0) + seconds

    def to_json(self) -> dict[str, Any]:
        """The object that ``vidreview scan --json`` prints."""
        wall = max(self.wall_s, 1e-9)
        return {
            "run": self.run,
            "exhibits": self.exhibits,
            "events": self.events,
            "seconds_of_footage": round(self.seconds_of_footage, 3),
            "wall_s": round(self.wall_s, 3),
            "realtime_factor": round(self.seconds_of_footage / wall, 2),
            "decode_share": round(min(1.0, self.busy_s.get("decode", 0.0) / wall), 3),
            "problems": self.problems,
        }


@dataclass(frozen=True, slots=True)
class _Scan:
    """What stays the same from file to file."""

    case: Case
    log: AuditLog
    detector: Detector
    settings: ScanSettings
    observer: Observer
    summary: ScanSummary
    reference: str | None
    best_first: bool

    def problem(self, path: str, reason: str) -> None:
        self.summary.problems.append({"path": path, "reason": reason})
        self.observer.problem(path, reason)


def scan(
    sources: Sequence[Path],
    case_dir: Path,
    settings: ScanSettings,
    *,
    model: str | None = None,
    detector: Detector | None = None,
    observer: Observer | None = None,
    record: dict[str, Any] | None = None,
    summary: ScanSummary | None = None,
    best_first: bool = False,
) -> ScanSummary:
    """Scan files and folders into a case; finished exhibits are not scanned again.

    ``model`` is a known name or a path, ``detector`` a ready one instead; ``record`` holds what a person wants
    recorded with the run (``argv``, ``reference``, ``operator``, ``organisation``, ``reason``). ``summary`` is filled
    as the scan goes, for a caller who must know what was done though the scan raises. ``best_first`` looks at the
    busiest stretches of each stream before all of it; the index ends the same, and has provisional events sooner.
    A file that cannot be read is listed in the summary and in the index, and the others go on. Raises UsageError when
    no source exists, CaseError and ModelError before anything is written, IntegrityError when an exhibit changed.
    """
    begun = time.monotonic()
    missing = [path for path in sources if not path.exists() and not path.is_symlink()]
    if len(missing) == len(sources):
        raise UsageError(f"{missing[0] if missing else 'no source'}: no such file or folder; nothing was scanned")
    refuse_overlap(case_dir, sources)
    detector = detector or load_detector(model, settings)
    facts = dict(record or {})
    summary = summary or ScanSummary()
    with Case.open(case_dir, create=True) as case:
        log = AuditLog(case_dir / "audit.jsonl")
        facts |= environment.describe()
        facts |= {
            "settings": settings.canonical(),
            "settings_sha256": settings.sha256(),
            "model": detector.name,
            "model_sha256": detector.sha256,
            "runtime": detector.runtime,
            "order": "best-first" if best_first else "time",
        }
        where = [str(p) for p in sources]
        summary.run = case.begin_run(facts, lambda known: log.append("scan-begins", sources=where, **facts, **known))
        job = _Scan(case, log, detector, settings, observer or Silent(), summary, facts.get("reference"), best_first)
        state = "interrupted"
        try:
            _scan_all(job, sources)
            state = "done"
        except VidreviewError:
            state = "failed"
            raise
        finally:
            summary.wall_s = time.monotonic() - begun
            outcome = summary.to_json() | {"skipped": summary.skipped}
            case.finish_run(
                summary.run,
                state,
                outcome,
                lambda known: log.append("scan-ends", state=state, summary=outcome, **known),
            )
    return summary


def _scan_all(job: _Scan, sources: Sequence[Path]) -> None:
    found = list(discover(sources))
    sizes = [_size(one.path) if isinstance(one, Found) else 0 for one in found]
    job.observer.begin(len(found), sum(sizes))
    changed: list[str] = []
    for one, size in zip(found, sizes, strict=True):
        job.observer.exhibit(one.name, size)
        if isinstance(one, Unreadable):
            _list_unreadable(job, one.name, one.path, one.reason)
            continue
        try:
            if fault := _scan_file(job, one):
                changed.append(fault)
                job.problem(str(one.path), fault.removeprefix(f"{one.path}: "))
        except (EvidenceError, MediaError) as error:
            _list_unreadable(job, one.name, one.path, str(error))
        except IntegrityError as error:
            changed.append(str(error))
            job.problem(str(one.path), str(error).removeprefix(f"{one.path}: "))
    if changed:
        raise IntegrityError("; ".join(changed))


def _list_unreadable(job: _Scan, name: str, path: Path, reason: str, exhibit: Exhibit | None = None) -> None:
    reason = reason.removeprefix(f"{path}: ")
    known: dict[str, Any] = {}
    if exhibit is not None:
        known = {"sha256": exhibit.digest.value, "size": exhibit.size, "mtime_ns": exhibit.mtime_ns}
    entry = {"run": job.summary.run, "name": name, "path": _where(path), "reason": reason}
    entry["sha256"] = known.get("sha256")
    job.case.list_unreadable(
        job.summary.run,
        name,
        path,
        reason,
        reference=job.reference,
        log=lambda seals: job.log.append("exhibit-unreadable", **entry, **seals),
        **known,
    )
    job.problem(str(path), reason)


def _scan_file(job: _Scan, found: Found) -> str | None:
    """One file, from its identity to its events; what is wrong with its identity, else None.

    Raises EvidenceError or MediaError when it cannot be read at all, IntegrityError when it changes meanwhile.
    """
    exhibit = identify(found)
    sha256 = exhibit.digest.value
    same = (sha256, job.settings.sha256(), job.detector.sha256, exhibit.path)
    if job.case.is_finished(*same):
        job.summary.exhibits += 1
        job.summary.skipped += 1
        # what could not be read then is not read now
        if reason := job.case.unread_part(*same):
            job.problem(str(exhibit.path), reason)
        job.observer.done(exhibit.name, 0, True)
        return None
    fault = _not_as_recorded(job, exhibit)
    try:
        info = probe(exhibit.path)
    except MediaError as error:
        _list_unreadable(job, exhibit.name, exhibit.path, str(error), exhibit)
        return fault
    number = job.case.begin_exhibit(
        job.summary.run, exhibit.name, exhibit.path, exhibit.size, exhibit.mtime_ns, sha256, info, job.reference
    )
    entry = {"run": job.summary.run, "name": exhibit.name, "path": _where(exhibit.path), "sha256": sha256}
    job.log.append("exhibit-begins", exhibit=number, **entry)
    job.summary.exhibits += 1
    # a still cover picture is no footage: it is in the index, and nothing was missed
    events, partly = 0, [p.reason for p in info.problems if p.kind != "cover-art"]
    for stream in info.streams:
        coverage, found_events = _scan_stream(job, exhibit, number, stream, info)
        events += found_events
        partly += _unread(stream, coverage)
    check_unchanged(exhibit)
    reason = "; ".join(partly) or None
    job.case.finish_exhibit(
        number,
        "partial" if partly else "done",
        reason=reason,
        log=lambda seals: job.log.append("exhibit-ends", **entry, events=events, **seals),
    )
    job.summary.events += events
    if reason:
        job.problem(str(exhibit.path), reason)
    job.observer.done(exhibit.name, events, False)
    return fault


def _not_as_recorded(job: _Scan, exhibit: Exhibit) -> str | None:
    """What differs when an earlier scan of the same path recorded another content, which keeps its events."""
    recorded = job.case.recorded_hashes(exhibit.path)
    if not recorded or exhibit.digest.value in recorded:
        return None
    job.log.append("exhibit-differs", run=job.summary.run, path=_where(exhibit.path), sha256=exhibit.digest.value)
    return (
        f"{exhibit.path}: not what was recorded in this case: SHA-256 was {recorded[-1]}, is {exhibit.digest}; "
        "it now stands there as another exhibit; find out what changed it"
    )


def _unread(stream: StreamInfo, coverage: Coverage) -> list[str]:
    """Why this stream was not fully read; oddities of time that lost nothing are in the index but not here."""
    lost = coverage.frames_missing or coverage.frames_damaged or coverage.undecodable_s > 0
    if not lost and coverage.frames_presented:
        return []
    reasons = [p.reason for p in coverage.problems if p.kind in ("damage", "truncated", "undecodable", "hidden")]
    what = f"{coverage.frames_missing} frames missing, {coverage.frames_damaged} damaged"
    return [f"stream {stream.index}: {'; '.join(reasons) or what}"]


def _where(path: Path) -> str:
    """A path for the audit log, as the index has it: whatever folder the scan was run in."""
    return os.path.abspath(path)  # noqa: PTH100 - Path.absolute keeps '..'


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _scan_stream(job: _Scan, exhibit: Exhibit, number: int, stream: StreamInfo, info: FileInfo) -> tuple[Coverage, int]:
    """All frames of one stream; its coverage and the number of its events."""
    stream_id = job.case.add_stream(number, stream)
    if job.best_first:
        _preview(job, exhibit, stream_id, stream)
    walk = StreamWalk(stream, job.settings, job.detector)
    ids: list[int] = []
    seen: list[Appearance] = []
    reported = 0.0
    share = 1.0 / max(1, len(info.streams))

    def keep(tracks: list[Track]) -> None:
        if tracks:
            seen.extend(a for k, t in enumerate(tracks, len(ids)) if (a := appearance(k, t)) is not None)
            ids.extend(job.case.add_tracks(stream_id, tracks))

    try:
        with open_frames(exhibit.path, stream) as frames:
            gate = GateWalk(frames, job.settings)
            with ahead(gate, frames_ahead(stream)) as watched:
                for item in watched:
                    keep(walk.step(item))
                    if len(walk.rows) >= BATCH:
                        job.case.add_detections(stream_id, walk.take_rows())
                    seconds = item.frame.seconds
                    if seconds - reported >= 1.0:
                        job.observer.progress(share * seconds / (stream.duration_s or 1e9), seconds - reported)
                        reported = seconds
            job.summary.spent("decode", gate.decode_s)
            job.summary.spent("gate", gate.gate_s)
            coverage = frames.coverage(walk.looks)
    except MediaError as error:
        coverage = _nothing_read(stream, str(error).removeprefix(f"{exhibit.path}: "))
    keep(walk.finish())
    job.summary.spent("detect", walk.detect_s)
    job.summary.spent("track", walk.track_s)
    job.case.add_detections(stream_id, walk.take_rows())
    events = assemble(seen, stream.time_base, job.settings.merge_gap_s)
    job.case.add_events(stream_id, events, ids)
    job.case.set_coverage(stream_id, coverage)
    job.summary.seconds_of_footage += coverage.analysed_s
    job.observer.progress(share, max(0.0, coverage.duration_s - reported))
    return coverage, len(events)


def _preview(job: _Scan, exhibit: Exhibit, stream_id: int, stream: StreamInfo) -> None:
    """Put what the busiest stretches show into the case, for as long as the scan of the stream takes."""
    began = time.perf_counter()
    count = 0
    for events in preview(exhibit.path, stream, job.settings, job.detector):
        job.case.add_provisional(stream_id, events)
        count += len(events)
    job.summary.spent("preview", time.perf_counter() - began)
    job.observer.provisional(exhibit.name, count)


def _nothing_read(stream: StreamInfo, reason: str) -> Coverage:
    """The ledger of a stream of which no frame could be decoded."""
    length = stream.duration_s or 0.0
    problem = Problem("undecodable", reason, 0.0)
    return Coverage(length, 0.0, length, 0.0, 0.0, 0, 0, stream.packets, 0, (problem,))
