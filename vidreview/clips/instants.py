"""Many pictures of one stream in one pass: each group of pictures is decoded once, and only as far as it is wanted."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import av.error
import numpy as np

from vidreview.clips.packets import NONE, Opened, Opener, PacketIndex, demux, find_stream, prepare
from vidreview.errors import MediaError

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.frame import VideoFrame

#: packets that are sooner read past than sought past
READ_ON: Final = 512


@dataclass(frozen=True, slots=True)
class Instant:
    """One wanted picture."""

    #: place of its packet within the stream
    packet: int
    #: None where it cannot be decoded
    frame: VideoFrame | None
    #: it, or what it is decoded from, is flagged as broken
    damaged: bool


@dataclass(frozen=True, slots=True)
class _Run:
    """Packets that are decoded one after the other, and which of their pictures are wanted."""

    first: int
    last: int
    wanted: list[int] = field(default_factory=list)


def instants(opener: Opener, index: PacketIndex, packets: Sequence[int]) -> Iterator[Instant]:
    """The pictures of these packets, each once, group by group in the order of the file.

    Within a group they come as the decoder gives them. The file is opened once, and again where seeking in it does not
    lead where it should. Raises MediaError when it does not give the same packets as before; and as the opener does.
    """
    runs = _runs(index, sorted(set(packets)))
    seekable = index.seekable()
    done = 0
    given: set[int] = set()
    while done < len(runs):
        with opener(index.path) as opened:
            walk = _Walk(opened, index, seekable)
            try:
                while done < len(runs):
                    walk.go_to(runs[done].first)
                    for instant in walk.decode(runs[done]):
                        if instant.packet not in given:
                            given.add(instant.packet)
                            yield instant
                    done += 1
            except _LostError:
                if not seekable:
                    raise MediaError(
                        f"{index.path}: packet {walk.at} of stream {index.stream} reads differently a second time"
                    ) from None
                seekable = False  # what seeking leads to is not what was read: from the start, then


class Finder:
    """The packets of many frames of one stream; as ``PacketIndex.place`` for one."""

    def __init__(self, opener: Opener, index: PacketIndex, timed: bool) -> None:
        """``timed`` is False where the exhibit holds no timestamps and PTS are the reader's own."""
        self._opener, self._index, self._timed = opener, index, timed
        pts = np.asarray(index.pts)
        self._order = np.argsort(pts, kind="stable")
        self._ordered = pts[self._order]

    def packets(self, places: Sequence[tuple[int, int]]) -> list[int]:
        """The packets of frames given as (PTS, number of the presented frame)."""
        found = []
        for tick, number in places:
            begin, end = (int(np.searchsorted(self._ordered, tick, side)) for side in ("left", "right"))
            if not self._timed or begin == end or tick == NONE:
                found.append(self._index.place(self._opener, tick, number, self._timed))
            else:
                found.append(int(min(self._order[begin:end].tolist(), key=lambda k: abs(k - number))))
        return found


def _runs(index: PacketIndex, packets: Sequence[int]) -> list[_Run]:
    keys = [k for k, key in enumerate(index.keys) if key]
    runs: list[_Run] = []
    for packet in packets:
        first = _first_for(index, keys, packet)
        if runs and first <= runs[-1].last + 1:
            before = runs.pop()
            runs.append(_Run(before.first, packet, [*before.wanted, packet]))
        else:
            runs.append(_Run(first, packet, [packet]))
    return runs


def _first_for(index: PacketIndex, keys: Sequence[int], packet: int) -> int:
    """From where a packet is decoded; the first of the stream when no key frame comes before it."""
    place = bisect_right(keys, packet) - 1
    while place >= 0 and index.shown(keys[place]) > index.shown(packet):
        place -= 1  # a picture shown before its key frame leans on the group before
    if place > 0 and keys[place] != packet and not index.ordered(keys[place], packet):
        place -= 1  # nothing says in which order pictures are shown: one group more is on the safe side
    return keys[place] if place >= 0 else 0


class _LostError(Exception):
    """Another packet was read than the one that should be there."""


class _Walk:
    """A file that is read from one run of packets to the next."""

    def __init__(self, opened: Opened, index: PacketIndex, seekable: bool) -> None:
        self.index, self.seekable = index, seekable
        self._container = opened.container
        self._stream = find_stream(opened, index.path, index.stream)
        self._context = prepare(self._stream)
        self._packets: Iterator[Packet[Any]] = demux(self._container, self._stream)
        #: read already, to be handed out next
        self._next: Packet[Any] | None = None
        #: place of the next packet
        self.at = 0

    def go_to(self, first: int) -> None:
        """Stand before a packet that lies ahead."""
        if self.seekable and first - self.at > READ_ON:
            try:
                self._container.seek(self.index.dts[first], stream=self._stream)
                self._packets = demux(self._container, self._stream)
                self._next = next(self._packets, None)
            except (av.error.FFmpegError, OSError) as error:
                raise _LostError from error
            tick = None if self._next is None else self._next.dts
            self.at = first + 1 if tick is None else bisect_left(self.index.dts, tick)
            if self.at > first:
                raise _LostError
        while self.at < first:
            self._read()

    def decode(self, run: _Run) -> Iterator[Instant]:
        """The wanted pictures of a run."""
        wanted = set(run.wanted)
        damaged = False
        self._context.flush_buffers()
        for ordinal in range(run.first, run.last + 2):
            packet = self._read() if ordinal <= run.last else None
            if packet is not None:
                packet.opaque = [ordinal]  # a list of its own: see PacketIndex.decode
                damaged = damaged or bool(packet.is_corrupt)
            try:
                frames = self._context.decode(packet)
            except (av.error.FFmpegError, OSError, ValueError):
                damaged = True
                continue
            for frame in frames:
                own: Any = frame.opaque
                number = own[0] if isinstance(own, list) else min(ordinal, run.last)
                damaged = (damaged and not frame.key_frame) or bool(frame.is_corrupt)
                if number in wanted:
                    wanted.discard(number)
                    yield Instant(number, frame, damaged)
        for number in sorted(wanted):
            yield Instant(number, None, True)

    def _read(self) -> Packet[Any]:
        packet = self._next or next(self._packets, None)
        self._next = None
        if packet is None or not self.index.same(packet, self.at):
            raise _LostError
        self.at += 1
        return packet
