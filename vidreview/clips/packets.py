"""The packets of one stream: all their times in one pass, then any stretch of them again, checked against that pass."""

from __future__ import annotations

import statistics
from array import array
from bisect import bisect_left
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import av.error

from vidreview.errors import MediaError, UsageError

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream


class Opened(Protocol):
    """An exhibit opened as media, read-only."""

    @property
    def container(self) -> InputContainer:
        """PyAV's view of it."""


#: How an exhibit is opened. It is handed in: which demuxers hostile bytes may reach is decided in one place.
Opener = Callable[[Path], AbstractContextManager[Opened]]

#: stands for a timestamp that the container does not give
NONE: Final = -(2**63)
#: a demuxer that fails so often in a row is not asked again
MAX_FAILURES: Final = 64
#: packets before this one are reached soonest by reading from the start
SEEK_FROM: Final = 256
#: a step back of the decoding time by at most so many frames is disorder, a longer one is another recording
DISORDER: Final = 8
#: pictures are decoded at most so many packets after ones they are shown before
REORDER: Final = 64
#: so many groups of pictures are tried for one that a picture can be decoded from
GROUPS_BACK: Final = 3
#: containers whose header lists every packet: opening one of a day takes long, and seeking always leads to one place
_LISTED: Final = "mov,mp4,m4a,3gp,3g2,mj2"
#: containers that store when each picture is shown; AVI, for one, stores only an order of decoding
_ORDERED: Final = frozenset(
    ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "mpegts", "mpeg", "asf", "flv", "mxf", "nut", "ogg")
)


@dataclass(slots=True)
class PacketIndex:
    """The times and sizes of all packets of a stream, in the order of the file."""

    path: Path
    stream: int
    time_base: Fraction
    codec: str
    container: str
    pts: array[int] = field(default_factory=lambda: array("q"))
    dts: array[int] = field(default_factory=lambda: array("q"))
    sizes: array[int] = field(default_factory=lambda: array("q"))
    keys: bytearray = field(default_factory=bytearray)
    #: ticks one frame ordinarily stands for
    interval: int = 1
    #: decoding times on one line that always rises: steps back are taken out, missing ones are filled in
    line: array[int] = field(default_factory=lambda: array("q"))
    #: packet of each presented frame, by the frame's number; made when first asked for
    presented: array[int] | None = None
    #: whether packets can be found again by their decoding time; found out when first asked for
    sought: bool | None = None

    def __len__(self) -> int:
        return len(self.sizes)

    def to_json(self) -> dict[str, Any]:
        """What the record of a derived file says of the stream."""
        base = f"{self.time_base.numerator}/{self.time_base.denominator}"
        return {"index": self.stream, "codec": self.codec, "container": self.container, "time_base": base}

    def shown(self, ordinal: int) -> int:
        """When a packet's picture is presented, in ticks of ``line``; its decoding time where the file says nothing."""
        pts, dts = self.pts[ordinal], self.dts[ordinal]
        return self.line[ordinal] + (pts - dts if pts != NONE and dts != NONE else 0)

    def tick(self, ordinal: int) -> int:
        """A packet's PTS; where the file gives none, its place on the line."""
        return self.shown(ordinal) if self.pts[ordinal] == NONE else self.pts[ordinal]

    def seekable(self) -> bool:
        """True when every packet has its own decoding time, by which it can be found again."""
        if self.sought is None:
            rises = all(a < b for a, b in zip(self.dts, memoryview(self.dts)[1:], strict=False))
            self.sought = self.dts[0] != NONE and rises
        return self.sought

    def place(self, opener: Opener, pts: int, frame: int, timed: bool = True) -> int:
        """The packet of the frame that was presented as number ``frame`` with this PTS.

        A PTS may occur more than once in a stream, or be the reader's own where the file has none; the number settles
        which packet it is, if need be by decoding the stream once.
        """
        if timed:
            found = []
            at = -1
            while True:
                try:
                    at = self.pts.index(pts, at + 1)
                except ValueError:
                    break
                found.append(at)
            if found:
                return min(found, key=lambda k: abs(k - frame))
        presented = self.presentation(opener)
        if not presented:
            raise MediaError(f"{self.path}: no frame of stream {self.stream} can be decoded")
        return presented[min(frame, len(presented) - 1)]

    def presentation(self, opener: Opener) -> array[int]:
        """The packet of each presented frame, by the frame's number; decodes the stream when first asked."""
        if self.presented is None:
            self.presented = array("q", self.order(opener, 0, len(self) - 1))
        return self.presented

    def at(self, opener: Opener, seconds: float) -> tuple[int, float]:
        """The packet of the frame in view so many seconds after the first presented one, and that frame's own seconds.

        Raises UsageError when the stream is not that long.
        """
        shown = [self.shown(k) for k in range(len(self))]
        presented = () if self.keys[0] else self.presentation(opener)
        zero = shown[presented[0]] if presented else min(shown[:REORDER])
        wanted = zero + round(Fraction(seconds) / self.time_base)
        if not zero <= wanted <= max(shown) + self.interval:
            length = float((max(shown) + self.interval - zero) * self.time_base)
            raise UsageError(
                f"{self.path}: stream {self.stream} is {length:.3f} s long, so {seconds:.3f} s is not in it"
            )
        packet = max((k for k, tick in enumerate(shown) if tick <= wanted), key=lambda k: (shown[k], -k))
        return packet, float((shown[packet] - zero) * self.time_base)

    def key_before(self, ordinal: int) -> int | None:
        """The last key packet from which the packet can be decoded; None when there is none."""
        for k in range(ordinal, -1, -1):
            # a picture shown before its key frame leans on the group of pictures before
            if self.keys[k] and self.shown(k) <= self.shown(ordinal):
                return k
        return None

    def first_for(self, opener: Opener, ordinal: int) -> int | None:
        """As ``key_before``, but by decoding where the file's timestamps do not tell the order of the pictures."""
        key = self.key_before(ordinal)
        for _ in range(GROUPS_BACK):
            if not key or key == ordinal or self.ordered(key, ordinal):
                break
            order = self.order(opener, key, min(len(self) - 1, ordinal + REORDER))
            if key in order and ordinal in order and order.index(ordinal) > order.index(key):
                break
            key = self.key_before(key - 1)
        return key

    def ordered(self, first: int, last: int) -> bool:
        """True when the timestamps of these packets tell in which order their pictures are shown."""
        return self.container in _ORDERED and NONE not in self.pts[first : last + 1]

    def order(self, opener: Opener, first: int, last: int) -> list[int]:
        """The packets of these whose pictures are shown, in that order, from decoding them."""
        numbers: list[int] = []
        for ordinal, frames in self.decode(opener, first, last):
            made = [frame.opaque for frame in frames or ()]
            numbers.extend(one[0] if isinstance(one, list) else min(ordinal, last) for one in made)
        return numbers

    def decode(
        self, opener: Opener, first: int, last: int
    ) -> Generator[tuple[int, list[VideoFrame] | None], None, None]:
        """Each packet from ``first`` to ``last``, then what the decoder still held, with the pictures it gave.

        A picture's ``opaque`` is a list of one, the place of its own packet. None where a packet failed: damage costs
        only itself.
        """
        with opener(self.path) as opened:
            context = prepare(find_stream(opened, self.path, self.stream))
            packets: Iterator[Packet[Any] | None] = chain(self.read(opener, first, last, opened), (None,))
            for ordinal, packet in enumerate(packets, first):
                if packet is not None:
                    # a list of its own: PyAV finds it by identity, and small numbers are one object to all decoders
                    packet.opaque = [ordinal]
                try:
                    frames = context.decode(packet)
                except (av.error.FFmpegError, OSError, ValueError):
                    yield ordinal, None
                else:
                    yield ordinal, frames

    def read(self, opener: Opener, first: int, last: int, opened: Opened | None = None) -> Iterator[Packet[Any]]:
        """The packets from ``first`` to ``last``, both included; seeks where that finds them.

        ``opened`` is the exhibit just opened, nothing read of it yet: used where opening it again would take long.
        Raises MediaError when the file does not give the same packets as before.
        """
        start = 0
        if first >= SEEK_FROM and self.seekable():
            listed = self.container == _LISTED
            with nullcontext(opened) if opened is not None and listed else opener(self.path) as tried:
                start = self._landing(tried, first)
                if start and listed:
                    yield from self._from(tried, start, first, last)
                    return
        with opener(self.path) as opened:
            yield from self._from(opened, start, first, last)

    def _from(self, opened: Opened, start: int, first: int, last: int) -> Iterator[Packet[Any]]:
        """The packets from ``first`` to ``last``, read from where seeking leads to: ``start``, or the beginning, 0."""
        stream = find_stream(opened, self.path, self.stream)
        if start:
            opened.container.seek(self.dts[first], stream=stream)
        ordinal = start
        for packet in demux(opened.container, stream):
            if not self.same(packet, ordinal):
                break
            if ordinal >= first:
                yield packet
            ordinal += 1
            if ordinal > last:
                return
        raise MediaError(f"{self.path}: packet {ordinal} of stream {self.stream} reads differently a second time")

    def _landing(self, opened: Opened, first: int) -> int:
        """The packet that seeking to ``first`` leads to, tried beforehand; 0 where seeking is not to be trusted."""
        stream = find_stream(opened, self.path, self.stream)
        landed = ordinal = -1
        try:
            opened.container.seek(self.dts[first], stream=stream)
            for packet in demux(opened.container, stream):
                if ordinal < 0:
                    landed = ordinal = bisect_left(self.dts, _tick(packet.dts))
                if ordinal > first or not self.same(packet, ordinal):
                    return 0
                if ordinal == first:
                    return landed
                ordinal += 1
        except (av.error.FFmpegError, OSError):
            return 0
        return 0

    def same(self, packet: Packet[Any], ordinal: int) -> bool:
        """True when a packet is what the one at this place was."""
        return ordinal < len(self) and (packet.size, _tick(packet.pts), _tick(packet.dts)) == (
            self.sizes[ordinal],
            self.pts[ordinal],
            self.dts[ordinal],
        )


def read_index(opener: Opener, path: Path, stream: int) -> PacketIndex:
    """Read the times of all packets of a stream; raises MediaError when there are none, and what the opener raises."""
    with opener(path) as opened:
        video = find_stream(opened, path, stream)
        index = PacketIndex(
            path, stream, Fraction(video.time_base or 1), video.codec.name, opened.container.format.name
        )
        for packet in demux(opened.container, video):
            index.pts.append(_tick(packet.pts))
            index.dts.append(_tick(packet.dts))
            index.sizes.append(packet.size)
            index.keys.append(packet.is_keyframe)
        if not len(index):
            raise MediaError(f"{path}: stream {stream} holds no packets")
        steps = [b - a for a, b in zip(index.dts, index.dts[1:], strict=False) if NONE not in (a, b) and b > a]
        rate = video.guessed_rate or video.average_rate or video.base_rate or 25
        index.interval = statistics.median_low(steps) if steps else max(1, round(1 / (rate * index.time_base)))
    index.line = _line(index.dts, index.interval)
    return index


def demux(container: InputContainer, stream: VideoStream) -> Iterator[Packet[Any]]:
    """The packets of a stream; a demuxer that fails over damage is asked again, within bounds."""
    failures = 0
    while failures < MAX_FAILURES:
        try:
            for packet in container.demux(stream):
                if packet.size:
                    failures = 0
                    yield packet
            return
        except (av.error.FFmpegError, OSError):
            failures += 1


def find_stream(opened: Opened, path: Path, index: int) -> VideoStream:
    """The video stream with this index within its container; raises MediaError when there is none."""
    for stream in opened.container.streams.video:
        if stream.index == index:
            return stream
    raise MediaError(f"{path}: no video stream with index {index}")


def _tick(value: int | None) -> int:
    return NONE if value is None else value


def _line(dts: array[int], interval: int) -> array[int]:
    """Decoding times that always rise, by one tick at least; see ``PacketIndex.line``."""
    filled = list(dts)
    known = [k for k, tick in enumerate(dts) if tick != NONE]
    if not known:
        return array("q", [k * interval for k in range(len(dts))])
    for before, after in zip([None, *known], [*known, None], strict=True):
        for k in range(0 if before is None else before + 1, len(dts) if after is None else after):
            if before is None:
                assert after is not None
                filled[k] = dts[after] - (after - k) * interval
            elif after is None or dts[after] <= dts[before]:
                filled[k] = dts[before] + (k - before) * interval
            else:
                filled[k] = dts[before] + (dts[after] - dts[before]) * (k - before) // (after - before)
    line = array("q")
    shift = 0
    for k, tick in enumerate(filled):
        place = tick + shift
        if k and place <= line[-1]:
            if place >= line[-1] - DISORDER * interval:
                place = line[-1] + 1
            else:
                place, shift = line[-1] + interval, line[-1] + interval - tick
        line.append(place)
    return line


def prepare(stream: VideoStream) -> Any:
    """A stream's decoder, one thread, that hands a packet's ``opaque`` on to its picture.

    One thread, so that pictures of a damaged stream are the same every time.
    """
    context: Any = stream.codec_context
    context.thread_type = "NONE"
    context.thread_count = 1
    context.copy_opaque = True
    return context
