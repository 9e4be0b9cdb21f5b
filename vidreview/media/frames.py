"""Timed frames out of one stream; damage costs its own packet and is counted.

FFmpeg decodes several frames at once, which is a third faster and, on a sound stream, gives the same pictures to the
bit. On a damaged one it does not: what stands in for lost blocks then depends on which thread was how far, and differs
from run to run. So a stream that is known to be damaged is read one frame at a time; at the first sign of damage any
other is read again like that from its start, past what has been handed out, and everything that is said of it comes
from that reading (rule A7).
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

import av.error

from vidreview.colours import to_bgr
from vidreview.errors import MediaError
from vidreview.media.damage import Sent, Stretches
from vidreview.media.pixels import luma
from vidreview.media.probe import MAX_PIXELS, demux, probe, refusal
from vidreview.media.source import Source
from vidreview.media.timeline import DISORDER_INTERVALS, Ledger, Placed, Timeline
from vidreview.model import Coverage, Frame, MediaTime, StreamInfo

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.frame import VideoFrame

#: Problems of these kinds are found again, and better, while decoding.
MEASURED_HERE: Final = frozenset(
    (
        *("gap", "reset", "clock-step", "missing-time", "bad-time", "duplicate-time"),
        *("non-monotonic", "damage"),
    )
)
#: Codecs whose every damage FFmpeg tells, when asked to, while it decodes several frames at once; the others are read
#: one at a time.
_TELLING: Final = frozenset(("h264", "hevc", "mpeg4", "mpeg2video", "h263", "vp9"))
#: What ``probe`` says of a stream that is known to be damaged before a frame of it is decoded.
_UNSOUND: Final = frozenset(("damage", "truncated", "frame-count", "undecodable"))
#: Frames decoded at once: so many more than there are cores, which keeps all of them busy while a picture is handed
#: over and looked at; and at most, since more cost memory, and the detector wants its cores.
MORE_THREADS: Final = 3
MOST_THREADS: Final = 6
#: Frames held back while several are decoded at once: the sign of damage may come a little after a picture it spoilt.
HELD_BACK: Final = 4
#: Packets are remembered so far back, for finding out whose a picture is, and what a hole in time held.
_REMEMBERED: Final = 512
_UNKNOWN: Final = Sent(None, None)


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(slots=True)
class _Decoded:
    """One picture as the decoder gave it."""

    picture: VideoFrame
    packet: int
    #: where its packet lies
    at: Sent
    damaged: bool


def open_frames(path: Path, stream: StreamInfo | int, *, threads: int = 0) -> Frames:
    """Open one video stream for reading its frames; what ``probe`` measured may be handed in and is then not repeated.

    ``threads`` is the number of frames decoded at once, where the codec allows it: 0 for a few more than the machine
    has cores, up to ``MOST_THREADS``. The frames are the same for any number.
    Raises EvidenceError, or MediaError when there is no such stream or nothing decodes it.
    """
    if isinstance(stream, int):
        wanted = [s for s in probe(path).streams if s.index == stream]
        if not wanted:
            raise MediaError(f"{path}: no video stream with index {stream}")
        stream = wanted[0]
    return Frames(path, stream, threads=threads)


class Frames:
    """A context manager and iterator of frames; afterwards ``coverage`` says where every second went."""

    def __init__(self, path: Path, info: StreamInfo, *, threads: int = 0) -> None:
        """See ``open_frames``."""
        self.path = path
        self.info = info
        self._open(threads)
        self._frames = self._iterate()

    def _open(self, threads: int) -> None:
        """Stand at the start of the stream, with nothing known of it."""
        info = self.info
        # a packet that was cut off decodes without a word, and not to the same picture each time
        sound = not info.cut_off and not any(problem.kind in _UNSOUND for problem in info.problems)
        several = sound and info.codec in _TELLING
        self._threads = (threads or min(MOST_THREADS, _cores() + MORE_THREADS)) if several else 1
        self._source = Source(self.path)
        try:
            self._context = self._prepare(self._threads)
        except BaseException:
            self._source.close()
            raise
        self._line: Timeline[_Decoded] = Timeline(info.time_base, info.frame_interval, counted=not info.timed)
        self._ledger = Ledger()
        #: the ledger as of the last frame handed out, where later ones are held back
        self._told: Ledger | None = None
        self._given = 0
        #: what the demuxer said that failed
        self._failures: list[str] = []
        #: the last packets, and those of them that gave no picture (yet)
        self._sent: dict[int, Sent] = {}
        self._unseen: dict[int, Sent] = {}
        self._flagged: set[int] = set()
        self._failed_packets: set[int] = set()
        self._packets = 0
        self._with_picture = 0
        self._failed = Stretches("damage", "failed to decode", "packet")
        self._failed_unplaced = 0
        self._broken = False
        self._number = 0
        self._damaged = Stretches("damage", "flagged broken, or missing what they build on", "frame")
        self._missing = 0
        self._last: Placed[_Decoded] | None = None
        self._shape: tuple[int, int] | None = None
        self._finished = False

    def __enter__(self) -> Frames:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[Frame]:
        return self._frames

    def close(self) -> None:
        """Close the file; frames already handed out stay valid."""
        self._frames.close()
        self._source.close()

    def coverage(self, detector_frames: int = 0) -> Coverage:
        """The ledger of the stream, complete once the frames have been read to the end.

        What was not read, because iteration stopped early, counts as not requested.
        """
        line, info = self._line, self.info
        # frames that are held back have not been presented to anyone
        ledger, finished = (self._told, False) if self._told else (self._ledger, self._finished)
        # while reading, the last frame's own interval is not in the ledger yet
        held = 0 if finished or self._last is None else line.interval
        cut_off = round(info.cut_off / info.time_base)
        problems = [*line.problems(), *self._failed.problems(), *self._damaged.problems()]
        problems += [p for p in info.problems if p.kind not in MEASURED_HERE]
        return Coverage(
            time_base=info.time_base,
            analysed=ledger.analysed + held,
            undecodable=ledger.undecodable + cut_off,
            gap=ledger.gap,
            not_requested=0 if finished else max(0, info.length - ledger.total - held),
            frames_presented=self._given,
            frames_damaged=self._damaged.count,
            frames_missing=self._missing + round(info.cut_off / info.frame_interval),
            detector_frames=detector_frames,
            problems=tuple(problems),
        )

    def _prepare(self, threads: int) -> Any:
        streams = {s.index: s for s in self._source.video_streams()}
        stream = streams.get(self.info.index)
        if stream is None:
            raise MediaError(f"{self.path}: no video stream with index {self.info.index}")
        context = stream.codec_context
        if context is None:
            raise MediaError(f"{self.path}: no decoder for the codec of stream {self.info.index}")
        reason = refusal(context.width, context.height)
        if reason:
            raise MediaError(f"{self.path}: stream {self.info.index}: {reason}")
        self._stream = stream
        # not slices: with them FFmpeg switches error concealment, and with it the damage flags, off
        context.thread_type = "NONE" if threads == 1 else "FRAME"
        context.thread_count = threads
        # several at once are only there for sound streams: what one alone would mend in silence must be told, too
        context.options = {"max_pixels": str(MAX_PIXELS)} | ({"err_detect": "explode"} if threads > 1 else {})
        return context

    def _iterate(self) -> Generator[Frame, None, None]:
        given = 0
        if self._threads > 1:
            held: deque[tuple[Frame, Ledger]] = deque()
            for frame in self._read():
                held.append((frame, self._ledger.copy()))
                if self._damage_seen():
                    break
                if len(held) > HELD_BACK:
                    frame, self._told = held.popleft()
                    self._given += 1
                    yield frame
            if not self._damage_seen():
                while held:
                    frame, self._told = held.popleft()
                    self._given += 1
                    yield frame
                self._told = None
                return
            held.clear()
            given = self._given
            self._source.close()
            self._open(1)
        for frame in self._read():
            self._given += 1
            if self._given > given:
                yield frame

    def _damage_seen(self) -> bool:
        """True once anything has shown that is not as it should be."""
        return bool(
            self._failed.count
            or self._failures
            or self._flagged
            or self._damaged.count
            or self._missing
            or self._broken
        )

    def _read(self) -> Iterator[Frame]:
        for packet in demux(self._source, [self._stream], self._failures):
            for decoded in self._decode(packet):
                yield from self._place(decoded)
        for decoded in self._decode(None):
            yield from self._place(decoded)
        for placed in self._line.flush():
            yield self._frame(placed)
        self._finish()

    def _decode(self, packet: Packet[Any] | None) -> list[_Decoded]:
        """The pictures that one packet, or the flush at the end, makes available."""
        if packet is not None and packet.is_discard:
            packet.pts = None
        elif packet is not None:
            self._sent.pop(self._packets - _REMEMBERED, None)
            self._sent[self._packets] = self._unseen[self._packets] = Sent(packet.pts, self._source.byte(packet))
            if packet.is_corrupt:
                self._flagged.add(self._packets)
            # A decoder hands the PTS on to the picture as it is: put there, the packet's number tells whose that is.
            # PyAV's `opaque` is for that, too, but is freed under Python's lock: a decoder of several threads hangs.
            packet.pts = self._packets
            self._packets += 1
        try:
            pictures = self._context.decode(packet)
        except (av.error.FFmpegError, OSError, ValueError) as error:
            self._fail(error, packet)
            return []
        found = []
        for picture in pictures:
            number = -1 if picture.pts is None else picture.pts
            if self._unseen.pop(number, self) is not self:
                self._with_picture += 1
            flagged = bool(picture.is_corrupt) or number in self._flagged
            if picture.key_frame and not flagged:
                self._broken = False
            found.append(_Decoded(picture, number, self._sent.get(number, _UNKNOWN), flagged or self._broken))
        self._forget()
        return found

    def _forget(self) -> None:
        """Keep what is remembered of packets bounded, whatever the length of the stream."""
        while len(self._unseen) > _REMEMBERED:
            self._failed_packets.discard(self._unseen_oldest())
            self._unseen.pop(self._unseen_oldest())
        if len(self._flagged) > _REMEMBERED:
            self._flagged = {n for n in self._flagged if n >= self._packets - _REMEMBERED}

    def _unseen_oldest(self) -> int:
        return next(iter(self._unseen))

    def _fail(self, error: Exception, packet: Packet[Any] | None) -> None:
        if packet is not None:
            number = self._packets - 1
            sent = self._sent.get(number, _UNKNOWN)
            at_s = self._line.seconds(self._line.position(sent.pts))
            if not self.info.timed:
                sent = Sent(None, sent.byte)  # what the demuxer made up
            self._failed.add(number, sent, at_s, str(getattr(error, "strerror", None) or error))
            self._failed_unplaced += 1
            self._failed_packets.add(number)
            self._forget()
        # what follows builds on a picture that is not there, until one that stands alone
        self._broken = True

    def _place(self, decoded: _Decoded) -> Iterator[Frame]:
        lost, self._failed_unplaced = self._failed_unplaced, 0
        for placed in self._line.push(decoded.at.pts, decoded, lost, decoded.at.byte):
            yield self._frame(placed)

    def _frame(self, placed: Placed[_Decoded]) -> Frame:
        """The frame for the world, and its share of the ledger."""
        decoded, picture = placed.payload, placed.payload.picture
        lost = self._lost_before(placed)
        if self._last is None:
            broke = self._lead_in(placed, lost)
        else:
            gap = self._ledger.gap
            broke = self._ledger.step(placed, lost)
            if self._ledger.gap > gap:
                self._line.note_gap(placed)
            if broke:
                text = f"{lost} packet(s) could not be decoded before PTS {placed.pts}"
                before, number = self._last.pts, self._last.payload.packet
                byte = self._hole(range(number + 1, decoded.packet), placed.byte).byte
                self._line.note("damage", text, placed.position - placed.step, before, placed.pts, byte)
        self._missing += lost
        shape = (picture.height, picture.width)
        if self._shape not in (None, shape):
            text = f"the picture changes to {shape[1]}x{shape[0]}"
            self._line.note("geometry", text, placed.position, placed.pts, placed.pts, placed.byte)
            broke = True
        self._shape, self._last = shape, placed
        frame = Frame(
            number=self._number,
            time=MediaTime(placed.pts, self.info.time_base),
            seconds=self._line.seconds(placed.position),
            luma=luma(picture),
            damaged=decoded.damaged,
            to_bgr=partial(to_bgr, picture),
            discontinuity=broke or bool(placed.event),
        )
        if decoded.damaged:
            self._damaged.add(frame.number, Sent(placed.pts, placed.byte), frame.seconds)
        self._number += 1
        return frame

    def _lost_before(self, placed: Placed[_Decoded]) -> int:
        """Packets that should have given frames between this one and the one before."""
        last = self._last
        if not self.info.timed or placed.event in ("reset", "clock-step"):
            return placed.lost
        if last is None:
            first = placed.payload.packet
            return sum(1 for n, at in self._unseen.items() if (n < first if at.pts is None else at.pts < placed.pts))
        if 2 * placed.step <= 3 * placed.nominal:
            return 0
        # in disordered streams a picture may still come; only what failed, or left a long hole, is lost for certain
        hole = placed.step > DISORDER_INTERVALS * placed.nominal
        between = [n for n, at in self._unseen.items() if at.pts is not None and last.pts < at.pts < placed.pts]
        return max(placed.lost, sum(1 for n in between if hole or n in self._failed_packets))

    def _lead_in(self, placed: Placed[_Decoded], lost: int) -> bool:
        """Account for what came before the first picture, such as a recording that begins between key frames."""
        if not self.info.timed:
            lost = sum(1 for number in self._unseen if number < placed.payload.packet)
            self._missing += lost - placed.lost
        if not lost:
            return False
        ticks = lost * placed.nominal
        self._ledger.undecodable += ticks
        text = f"{lost} packet(s) before the first picture could not be decoded: no key frame, or damage"
        first = self._hole(range(placed.payload.packet), placed.byte)
        pts = placed.pts if first.pts is None or not self.info.timed else min(first.pts, placed.pts)
        self._line.note("damage", text, 0, pts, placed.pts, first.byte)
        return False

    def _hole(self, numbers: range, otherwise: int | None) -> Sent:
        """The first of these packets that gave no picture; one at byte ``otherwise`` when none is remembered."""
        lost = next((number for number in self._unseen if number in numbers), None)
        return Sent(None, otherwise) if lost is None else self._unseen[lost]

    def _finish(self) -> None:
        """Account for the last frame's own interval and for what came after it."""
        self._finished = True
        last, line = self._last, self._line
        nominal = line.interval
        if last is not None:
            self._ledger.analysed += nominal
        missing = self._packets - self._with_picture
        # two packets a picture, all along, are the two fields of interlaced pictures
        fields = self._with_picture and abs(missing - self._with_picture) * 20 <= self._with_picture
        if fields and not self._failed.count:
            return
        rest = max(0, missing - self._missing)
        if not rest:
            return
        if last is None:
            self._ledger.undecodable += rest * nominal
        else:
            after = [at.pts for at in self._unseen.values() if at.pts is not None and at.pts > last.pts]
            tail = min(len(after) if self.info.timed else rest, rest)
            self._ledger.undecodable += tail * nominal
        self._missing += rest
        lost = list(self._unseen.values())[-rest:]
        known = [at.pts for at in lost if at.pts is not None and self.info.timed]
        first, end = (min(known), max(known)) if known else (None, None)
        at, byte = None if last is None else last.position, lost[0].byte if lost else None
        line.note("damage", f"{rest} packet(s) gave no picture", at, first, end, byte)
