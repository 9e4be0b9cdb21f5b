"""One stream: decoder and gate ahead, each in its own thread, detector and tracker behind, frame by frame, in order."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vidreview.detect import Detector
from vidreview.detect.look import Look, look
from vidreview.index import DetectionRow
from vidreview.looks import Albums
from vidreview.model import LABELS, Detections, Frame, Motion, Pixels, StreamInfo, Track, TrackLook
from vidreview.motion import MotionGate, clock_share
from vidreview.pipeline.ahead import ahead
from vidreview.settings import ScanSettings
from vidreview.track import Tracker, Verdicts

#: closer looks taken on one frame, at most
CLOSER_LOOKS = 4
#: a whole picture is looked at this often at least while something moves, seconds
WHOLE_S = 5.0
#: share of a motion track's boxes on the burned-in clock that makes it the clock
IS_CLOCK = 0.5
#: frames that may wait for the gate; the fewer, the more of them are still in the processor's caches
DECODED_AHEAD = 4
#: bytes of decoded pictures that may wait for the detector
AHEAD_BYTES = 48 << 20


def frames_ahead(stream: StreamInfo) -> int:
    """How many frames may wait for the detector: enough to bridge a look of the detector, within ``AHEAD_BYTES``."""
    return max(2, min(64, AHEAD_BYTES // max(1, stream.width * stream.height * 3 // 2)))


@dataclass(frozen=True, slots=True)
class Seen:
    """A frame with what the gate said of it."""

    frame: Frame
    motion: Motion
    #: the gate's burned-in clock as known at this frame, and the side of its blocks in pixels
    clock: NDArray[np.uint8]
    block: int


class GateWalk:
    """The first half: decoding, and the motion gate while the decoder goes on."""

    def __init__(self, frames: Iterable[Frame], settings: ScanSettings) -> None:
        """``frames`` are gated by ``settings``."""
        self.frames, self.settings = frames, settings
        #: seconds spent waiting for the decoder, and in the gate
        self.decode_s = self.gate_s = 0.0

    def __call__(self) -> Iterator[Seen]:
        """Every frame of the stream, with its motion."""
        with ahead(lambda: iter(self.frames), DECODED_AHEAD) as frames:
            yield from self._gated(frames)

    def _gated(self, frames: Iterator[Frame]) -> Iterator[Seen]:
        gate: MotionGate | None = None
        began = time.perf_counter()
        for frame in frames:
            decoded = time.perf_counter()
            height, width = frame.luma.shape
            if gate is None or (gate.height, gate.width) != (height, width):
                # recorders change the picture size within a stream; nothing is known of the new one
                gate = MotionGate(width, height, self.settings.motion_threshold)
            motion = gate.see(frame.luma, frame.seconds, discontinuity=frame.discontinuity)
            gated = time.perf_counter()
            self.decode_s += decoded - began
            self.gate_s += gated - decoded
            yield Seen(frame, motion, gate.clock, gate.block)
            began = time.perf_counter()


class StreamWalk:
    """The second half: detector and tracker."""

    def __init__(self, stream: StreamInfo, settings: ScanSettings, detector: Detector, *, keep: bool = True) -> None:
        """Without ``keep`` it is not noted what objects look like."""
        self.settings, self.detector, self.rotation = settings, detector, stream.rotation
        self.tracker = Tracker(settings.high_score, Verdicts(settings.min_track_s, settings.min_motion_s))
        self.albums = Albums(stream.rotation) if keep else None
        #: frames the detector was given
        self.looks = 0
        #: seconds spent in the detector, the conversion of its pictures included, in the tracker, and in noting looks
        self.detect_s = self.track_s = self.look_s = 0.0
        #: raw detections not yet taken
        self.rows: list[DetectionRow] = []
        # the last look that was due, and the last one at a whole picture
        self._looked_s = self._whole_s = float("-inf")
        self._seen: Seen | None = None

    def step(self, seen: Seen) -> list[Track]:
        """Take in one frame; returns the tracks that are over for good."""
        began, other_s = time.perf_counter(), self.detect_s + self.look_s
        tracks = self._step(seen)
        self.track_s += time.perf_counter() - began - (self.detect_s + self.look_s - other_s)
        return tracks

    def _step(self, seen: Seen) -> list[Track]:
        frame, motion = seen.frame, seen.motion
        self._seen = seen
        if frame.discontinuity:
            self.tracker.cut()
        self.tracker.size = (frame.luma.shape[1], frame.luma.shape[0])
        clock = (frame.number, frame.time.pts, frame.seconds)
        found: Detections | None = None
        picture: Pixels | None = None
        whole = self._due(frame, motion)
        places = self.tracker.unnamed(frame.seconds, CLOSER_LOOKS) if whole or len(motion.blobs) else []
        if whole and not places and frame.seconds - self._whole_s < WHOLE_S:
            # what is alone is looked at where it is, which costs half
            places = self.tracker.only(frame.seconds)
            whole = not places
            self._looked_s = frame.seconds
        if whole or places:
            if whole:
                self._looked_s = self._whole_s = frame.seconds
            self.looks += 1
            began = time.perf_counter()
            picture = frame.to_bgr()
            one = look(self.detector, picture, self.rotation, places, whole=whole)
            self.detect_s += time.perf_counter() - began
            found = one.detections
            self._note(clock, one)
        self.tracker.update(clock, found, motion.blobs, whole=whole)
        if picture is not None and self.albums is not None:
            began = time.perf_counter()
            self.albums.look(picture, self.tracker.sightings(frame.number), clock)
            self.look_s += time.perf_counter() - began
        return self._without_clock(self.tracker.drain(frame.seconds))

    def finish(self) -> list[Track]:
        """The stream is over; returns the tracks that are left."""
        return self._without_clock(self.tracker.finish())

    def looks_of(self, tracks: list[Track]) -> list[TrackLook | None]:
        """What the objects of finished tracks look like; to be asked once of each."""
        return [None if self.albums is None else self.albums.close(track) for track in tracks]

    def take_rows(self) -> list[DetectionRow]:
        """The raw detections since the last call."""
        rows, self.rows = self.rows, []
        return rows

    def _due(self, frame: Frame, motion: Motion) -> bool:
        """Whether the detector looks at this frame."""
        since = frame.seconds - self._looked_s
        if frame.number == 0 or frame.discontinuity or since >= self.settings.idle_every_s:
            return True
        if self.tracker.missing(frame.seconds, self._looked_s):
            return True
        if motion.reason not in ("motion", "whole-frame"):
            return False
        wait = self.tracker.next_look_s(self.settings.detect_every_s, self.settings.settled_every_s)
        return since >= wait - 1e-6

    def _note(self, clock: tuple[int, int, float], one: Look) -> None:
        found = one.detections
        for box, score, label, closer in zip(found.boxes, found.scores, found.labels, one.closer, strict=True):
            where = (float(box[0]), float(box[1]), float(box[2]), float(box[3]))
            self.rows.append(
                DetectionRow(*clock, *where, float(score), LABELS[int(label)], "zoom" if closer else "frame")
            )

    def _without_clock(self, tracks: list[Track]) -> list[Track]:
        """Marks what moved only on the burned-in clock; it is known as such only after some seconds."""
        return [
            replace(t, dropped="the burned-in clock")
            if t.event_class == "motion" and t.dropped is None and self._on_clock(t)
            else t
            for t in tracks
        ]

    def _on_clock(self, track: Track) -> bool:
        if self._seen is None or not self._seen.clock.any():
            return False
        shares = [clock_share(self._seen.clock, self._seen.block, p.box) for p in track.points]
        return sum(shares) / len(shares) >= IS_CLOCK
