"""One exhibit, from what it is to its events: what a worker does, told message by message."""

from __future__ import annotations

import time
from collections.abc import Iterator

from vidreview.detect import Detector
from vidreview.errors import EvidenceError, IntegrityError, MediaError
from vidreview.events import Appearance, appearance, assemble
from vidreview.evidence import check_unchanged, is_evidence_candidate
from vidreview.index.rows import printable
from vidreview.index.watched import BLOCK, WatchedFrame, pack
from vidreview.media import open_frames, probe
from vidreview.model import Coverage, StreamInfo, Track
from vidreview.pipeline import messages as say
from vidreview.pipeline.ahead import ahead
from vidreview.pipeline.preview import preview
from vidreview.pipeline.stream import GateWalk, Seen, StreamWalk, frames_ahead

#: raw detections are handed over in batches of about this many
BATCH = 2000
#: tracks are handed over with their looks, so many at once at most
TOGETHER = 200
#: footage is reported after so many seconds of it, or of work
REPORT_S = 1.0


def scan_exhibit(task: say.Task, detector: Detector) -> Iterator[say.Message]:
    """Scan one exhibit; the last message is one of ``messages.LAST``. Raises for faults of the program only."""
    path = task.path
    busy: dict[str, float] = {}
    try:
        info = probe(path)
        yield say.Opened(info)
        if task.only_probe:
            yield say.Done(busy)
            return
        share = 1.0 / max(1, len(info.streams))
        for position, stream in enumerate(info.streams):
            yield from _Stream(task, detector, position, stream, share, busy).messages()
        check_unchanged(task.exhibit)
    except (EvidenceError, MediaError) as error:
        yield say.Unreadable(_reason(error, task)) if task.only_probe else _not_read(task, error)
    except IntegrityError as error:
        yield say.Changed(_reason(error, task))
    else:
        yield say.Done(busy)


def _not_read(task: say.Task, error: EvidenceError | MediaError) -> say.Unreadable | say.Changed:
    """What it means that nothing was read of a file: it may be gone by now, or be another (rule A2)."""
    try:
        check_unchanged(task.exhibit)
    except IntegrityError as changed:
        return say.Changed(_reason(changed, task))
    return say.Unreadable(_no_video(error, task) if isinstance(error, MediaError) else _reason(error, task))


def _reason(error: Exception, task: say.Task) -> str:
    return printable(str(error).removeprefix(f"{task.path}: "))


def _no_video(error: MediaError, task: say.Task) -> str:
    """Why a file was not read: what its content is, where that is known, else what the decoder said of it."""
    if task.exhibit.size:
        # a drive holds far more pictures and documents than recordings; none of them "may need its own player"
        candidate, what = is_evidence_candidate(task.path)
        if not candidate:
            return printable(what)
    return _reason(error, task)


class _Stream:
    """All frames of one stream."""

    def __init__(
        self,
        task: say.Task,
        detector: Detector,
        position: int,
        stream: StreamInfo,
        share: float,
        busy: dict[str, float],
    ) -> None:
        self.task, self.detector, self.position, self.stream = task, detector, position, stream
        self.share, self.busy = share, busy
        self.walk = StreamWalk(stream, task.settings, detector)
        self._seen: list[Appearance] = []
        self._tracks = 0
        #: frames not yet told of, and the number of the first of them
        self._watched: list[WatchedFrame] = []
        self._first = 0
        self._reported = 0.0
        self._spoke = time.monotonic()

    def messages(self) -> Iterator[say.Message]:
        """What the stream gives, its ledger last."""
        task, stream, walk = self.task, self.stream, self.walk
        if task.best_first:
            yield from self._preview()
        try:
            with open_frames(task.path, stream) as frames:
                gate = GateWalk(frames, task.settings)
                with ahead(gate, frames_ahead(stream)) as watched:
                    for item in watched:
                        looks = walk.looks
                        yield from self._found(walk.step(item))
                        yield from self._watch(item, walk.looks > looks)
                        if len(walk.rows) >= BATCH:
                            yield say.Rows(self.position, walk.take_rows())
                        yield from self._progress(item.frame.seconds)
                self._spent("decode", gate.decode_s)
                self._spent("gate", gate.gate_s)
                coverage = frames.coverage(walk.looks)
        except MediaError as error:
            coverage = Coverage.nothing_read(stream, _reason(error, task))
        yield from self._watched_so_far()
        yield from self._found(walk.finish())
        if rows := walk.take_rows():
            yield say.Rows(self.position, rows)
        self._spent("detect", walk.detect_s)
        self._spent("track", walk.track_s)
        self._spent("look", walk.look_s)
        yield say.Progress(self.share * (self.position + 1), max(0.0, coverage.duration_s - self._reported))
        events = assemble(self._seen, stream.time_base, task.settings.merge_gap_s)
        yield say.StreamDone(self.position, events, coverage)

    def _found(self, tracks: list[Track]) -> Iterator[say.Message]:
        if tracks:
            self._seen += [a for k, t in enumerate(tracks, self._tracks) if (a := appearance(k, t)) is not None]
            self._tracks += len(tracks)
            looks = self.walk.looks_of(tracks)
            for first in range(0, len(tracks), TOGETHER):
                part = slice(first, first + TOGETHER)
                yield say.Tracks(self.position, tracks[part], looks[part])

    def _watch(self, item: Seen, looked: bool) -> Iterator[say.Message]:
        """Note what the gate said of a frame."""
        frame, motion = item.frame, item.motion
        strength = float(motion.strength.max()) if len(motion.strength) else 0.0
        if not self._watched:
            self._first = frame.number
        self._watched.append(
            WatchedFrame(
                frame.time.pts, frame.seconds, motion.level, strength, motion.reason, len(motion.blobs), looked
            )
        )
        if len(self._watched) >= BLOCK:
            yield from self._watched_so_far()

    def _watched_so_far(self) -> Iterator[say.Message]:
        if self._watched:
            watched, self._watched = self._watched, []
            yield say.Watched(self.position, self._first, watched[0].seconds, watched[-1].seconds, pack(watched))

    def _progress(self, seconds: float) -> Iterator[say.Message]:
        """Every second of footage, or of work: whoever waits for us must hear that we live."""
        ahead_s = seconds - self._reported
        if ahead_s >= REPORT_S or (now := time.monotonic()) - self._spoke >= REPORT_S:
            now = time.monotonic()
            # a quiet night goes by at hundreds of seconds a second: no need to tell each
            if now - self._spoke < 0.1:
                return
            self._reported, self._spoke = seconds, now
            within = min(1.0, seconds / (self.stream.duration_s or 1e9))
            yield say.Progress(self.share * (self.position + within), ahead_s)

    def _preview(self) -> Iterator[say.Message]:
        """What the busiest stretches show, provisional for as long as the scan of the stream takes."""
        began = time.perf_counter()
        count = 0
        for events in preview(self.task.path, self.stream, self.task.settings, self.detector):
            count += len(events)
            yield say.Provisional(self.position, events)
        self._spent("preview", time.perf_counter() - began)
        yield say.Previewed(count)

    def _spent(self, stage: str, seconds: float) -> None:
        self.busy[stage] = self.busy.get(stage, 0.0) + seconds
