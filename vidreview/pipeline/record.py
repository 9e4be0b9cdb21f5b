"""What a scan writes: each fact into the log, then into the index: a kill leaves the log ahead, never behind."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vidreview.audit import AuditLog
from vidreview.evidence import Exhibit
from vidreview.index import Case, Identity, Listed
from vidreview.model import Coverage, StreamInfo
from vidreview.pipeline import messages as say
from vidreview.pipeline.observer import Observer, ScanSummary
from vidreview.settings import ScanSettings

#: files that are only listed are written together: so many, or as often as this, seconds. A drive has hundreds of
#: thousands of them, and each entry of the log alone would wait for the disk
LISTED_TOGETHER = 500
LISTED_EVERY_S = 1.0
#: reasons told of one stream that was not fully read; all are in the index
REASONS = 3


@dataclass(slots=True)
class _Open:
    """An exhibit that is being scanned."""

    task: say.Task
    number: int
    streams: list[int] = field(default_factory=list)
    infos: list[StreamInfo] = field(default_factory=list)
    #: for each stream, the rows of its tracks
    tracks: list[list[int]] = field(default_factory=list)
    events: int = 0
    #: of footage that was analysed
    seconds: float = 0.0
    #: why it is not fully read
    partly: list[str] = field(default_factory=list)


class Record:
    """Keeps what is found."""

    def __init__(
        self,
        case: Case,
        log: AuditLog,
        settings: ScanSettings,
        hello: say.Hello,
        observer: Observer,
        summary: ScanSummary,
        reference: str | None,
    ) -> None:
        """Write into ``case`` and ``log``, tell ``observer`` and ``summary``."""
        self.case, self.log, self.observer, self.summary = case, log, observer, summary
        self.settings, self.hello, self.reference = settings, hello, reference
        self._open: dict[int, _Open] = {}
        #: exhibits that wait for their numbers → what the log says of them
        self._scanned: dict[int, dict[str, Any]] = {}
        self._listed: list[tuple[Listed, str, dict[str, Any]]] = []
        self._flushed = time.monotonic()

    @property
    def run(self) -> int:
        """The number of the run."""
        return self.summary.run

    def identity(self, exhibit: Exhibit) -> Identity:
        """An exhibit as the index knows it."""
        others = {digest.algorithm: digest.value for digest in exhibit.others} or None
        return Identity(
            exhibit.name,
            exhibit.path,
            exhibit.size,
            exhibit.mtime_ns,
            exhibit.digest.value,
            self.reference,
            others,
        )

    def problem(self, path: str, reason: str) -> None:
        """Something for the person who scans."""
        self.summary.problems.append({"path": path, "reason": reason})
        self.observer.problem(path, reason)

    # ---- files that are not scanned

    def list_file(self, listed: Listed, action: str, **facts: Any) -> None:
        """List a file, soon; what is said of it in the log, besides its name and path, is ``facts``."""
        self._listed.append((listed, action, facts))
        if len(self._listed) >= LISTED_TOGETHER or time.monotonic() - self._flushed >= LISTED_EVERY_S:
            self.flush()

    def flush(self) -> None:
        """Write what is to be listed."""
        self._flushed = time.monotonic()
        if not self._listed:
            return
        batch, self._listed = self._listed, []

        def log(seals: list[dict[str, Any]]) -> None:
            self.log.append_many(
                (action, self._entry(one.identity) | facts | sealed)
                for (one, action, facts), sealed in zip(batch, seals, strict=True)
            )

        self.case.list_files(self.run, [one for one, _, _ in batch], log)

    def _entry(self, identity: Identity) -> dict[str, Any]:
        """What the log says of every file."""
        hashes = {"sha256": identity.sha256} | (identity.hashes or {})
        return {"run": self.run, "name": identity.name, "path": where(identity.path)} | hashes

    # ---- exhibits that are scanned

    def begin(self, task: say.Task) -> int:
        """An exhibit is about to be read; its number."""
        self.flush()
        exhibit = task.exhibit
        number = self._begin(task)
        self.log.append("exhibit-begins", exhibit=number, **self._entry(self.identity(exhibit)))
        self.observer.exhibit(exhibit.name, exhibit.size)
        return number

    def _begin(self, task: say.Task) -> int:
        number = self.case.begin_exhibit(self.run, self.identity(task.exhibit))
        self._open[task.number] = _Open(task, number)
        return number

    def take(self, task: say.Task, message: say.Message) -> None:
        """Write what a worker says of an exhibit; not its last word."""
        one = self._open[task.number]
        case = self.case
        if isinstance(message, say.Opened):
            if one.streams:  # its worker died, and it is tried again
                number = self._begin(task)
                self.log.append("exhibit-begins-again", exhibit=number, **self._entry(self.identity(task.exhibit)))
                one = self._open[task.number]
            case.open_exhibit(one.number, message.info)
            one.infos = list(message.info.streams)
            one.streams = [case.add_stream(one.number, stream) for stream in one.infos]
            one.tracks = [[] for _ in one.streams]
            # a still cover picture is no footage: it is in the index, and nothing was missed
            one.partly = [p.reason for p in message.info.problems if p.kind != "cover-art"]
        elif isinstance(message, say.Provisional):
            case.add_provisional(one.streams[message.stream], message.events)
        elif isinstance(message, say.Previewed):
            self.observer.provisional(task.exhibit.name, message.events)
        elif isinstance(message, say.Rows):
            case.add_detections(one.streams[message.stream], message.rows)
        elif isinstance(message, say.Watched):
            place = one.streams[message.stream]
            case.add_watched(place, message.first, message.first_s, message.last_s, message.frames)
        elif isinstance(message, say.Tracks):
            one.tracks[message.stream] += case.add_tracks(one.streams[message.stream], message.tracks, message.looks)
        elif isinstance(message, say.StreamDone):
            stream = one.streams[message.stream]
            case.add_events(stream, message.events, one.tracks[message.stream])
            case.set_coverage(stream, message.coverage)
            one.events += len(message.events)
            one.partly += _unread(one.infos[message.stream], message.coverage)
            one.seconds += message.coverage.analysed_s
        elif isinstance(message, say.Progress):
            self.observer.progress(task.exhibit.name, message.share, message.seconds)

    def done(self, task: say.Task, message: say.Done) -> None:
        """An exhibit is known to its end; its events are numbered when its turn comes."""
        one = self._open.pop(task.number)
        reason = "; ".join(one.partly) or None
        exhibit = task.exhibit
        entry = self._entry(self.identity(exhibit)) | {"exhibit": one.number, "events": one.events}
        self.log.append("exhibit-scanned", **entry)
        self._scanned[one.number] = entry
        self.case.finish_exhibit(one.number, reason=reason)
        self.summary.exhibits += 1
        self.summary.events += one.events
        self.summary.seconds_of_footage += one.seconds
        for stage, seconds in message.busy_s.items():
            self.summary.spent(stage, seconds)
        if reason:
            self.problem(str(task.path), reason)
        self.observer.done(exhibit.name, exhibit.size, one.events, "")

    def number(self, exhibit: int) -> None:
        """Give an exhibit's events their numbers, once its turn has come."""
        self.flush()
        entry = self._scanned.pop(exhibit, None) or self.case.known(exhibit) | {"run": self.run}
        self.case.number(exhibit, lambda seals: self.log.append("exhibit-ends", **entry | seals))

    def unreadable(self, task: say.Task, reason: str) -> None:
        """An exhibit turned out to hold nothing that can be read."""
        one = self._open.pop(task.number)
        self.list_file(
            Listed(self.identity(task.exhibit), "failed", reason),
            "exhibit-unreadable",
            reason=reason,
        )
        self._ended(one, reason)

    def failed(self, task: say.Task, reason: str, action: str) -> None:
        """An exhibit's scan broke off, or is void: nothing of it is kept but that it is there."""
        one = self._open.pop(task.number)
        for stream, info in zip(one.streams, one.infos, strict=True):
            self.case.set_coverage(stream, Coverage.nothing_read(info, reason))
        entry = self._entry(self.identity(task.exhibit)) | {"reason": reason}
        self.case.fail_exhibit(one.number, reason, lambda seals: self.log.append(action, **entry | seals))
        self._ended(one, reason)

    def _ended(self, one: _Open, reason: str) -> None:
        exhibit = one.task.exhibit
        self.problem(str(exhibit.path), reason)
        self.observer.done(exhibit.name, exhibit.size, 0, "not read")


def where(path: Path) -> str:
    """A path for the log, as the index has it: whatever folder the scan was run in."""
    return os.path.abspath(path)  # noqa: PTH100 - Path.absolute keeps '..'


def _unread(stream: StreamInfo, coverage: Coverage) -> list[str]:
    """Why this stream was not fully read; oddities of time that lost nothing are in the index but not here."""
    lost = coverage.frames_missing or coverage.frames_damaged or coverage.undecodable_s > 0
    if not lost and coverage.frames_presented:
        return []
    reasons = [p.reason for p in coverage.problems if p.kind in ("damage", "truncated", "undecodable", "hidden")]
    if len(reasons) > REASONS:
        reasons[REASONS:] = [f"and {len(reasons) - REASONS} more: see 'vidreview coverage'"]
    what = f"{coverage.frames_missing} frames missing, {coverage.frames_damaged} damaged"
    return [f"stream {stream.index}: {'; '.join(reasons) or what}"]
