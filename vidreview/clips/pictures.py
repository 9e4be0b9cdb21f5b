"""The pictures of a stretch: which ones it holds, found by decoding once, then the same ones again for each copy."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import av.error

from vidreview.clips.copy import ClipRequest
from vidreview.clips.packets import NONE, REORDER, Opener, PacketIndex, find_stream, prepare
from vidreview.errors import MediaError

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.frame import VideoFrame

#: so many groups are tried for a sound one to begin with, before a damaged stretch is decoded from the start
GROUPS_BACK: Final = 8


@dataclass(frozen=True, slots=True)
class Decoded:
    """A picture as the decoder gave it."""

    frame: VideoFrame
    #: place of its packet within the stream
    packet: int
    #: the decoder or the demuxer flagged it as broken, or it builds on a packet that could not be decoded
    damaged: bool


@dataclass(slots=True)
class Stretch:
    """The pictures of a stretch, in the order in which they are presented."""

    index: PacketIndex
    request: ClipRequest
    #: packets that are decoded for it
    first: int
    last: int
    #: place among the pictures of the event's first and last
    start: int = 0
    end: int = 0
    packets: array[int] = field(default_factory=lambda: array("q"))
    damaged: bytearray = field(default_factory=bytearray)
    #: (width, height) of each picture, and what all of them are
    sizes: list[tuple[int, int]] = field(default_factory=list)
    formats: dict[str, int] = field(default_factory=dict)
    interlaced: int = 0
    #: packets of the pictures decoded before and after it: their timestamps help where its own are missing
    before: list[int] = field(default_factory=list)
    after: list[int] = field(default_factory=list)
    #: packets within it that gave no picture
    silent: list[int] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.packets)

    def ticks(self, packets: Iterable[int] | None = None) -> list[int | None]:
        """The exhibit's PTS of each picture, or of those of other packets; None where it gives none."""
        timed = self.request.timed
        chosen = self.packets if packets is None else packets
        return [self.index.pts[k] if timed and self.index.pts[k] != NONE else None for k in chosen]

    def pictures(self, opener: Opener) -> Iterator[Decoded]:
        """The pictures again; raises MediaError when they are not those of the first time."""
        wanted = iter(zip(self.packets, self.damaged, self.sizes, strict=True))
        expected = next(wanted, None)
        with closing(decode(self.index, opener, self.first, self.last)) as decoded:
            for picture in decoded:
                if expected is None:
                    return
                packet, damaged, size = expected
                if picture.packet != packet:
                    continue
                if (picture.damaged, (picture.frame.width, picture.frame.height)) != (bool(damaged), size):
                    break
                yield picture
                expected = next(wanted, None)
        if expected is not None:
            raise MediaError(f"{self.index.path}: packet {expected[0]} decodes differently a second time")


def survey(opener: Opener, index: PacketIndex, request: ClipRequest) -> Stretch:
    """Decode the requested stretch once, and say what it holds.

    It begins with the first frame that was asked for, not with a key frame. Where it is damaged, decoding begins with
    a sound group of pictures before it, so that what stands in for lost blocks is what the scan saw.
    Raises MediaError when none of its pictures can be decoded.
    """
    start = index.place(opener, request.start_pts, request.first_frame, request.timed)
    end = index.place(opener, request.end_pts, request.last_frame, request.timed)
    start, end = min(start, end), max(start, end)
    before, after = (round(Fraction(seconds) / index.time_base) for seconds in (request.before_s, request.after_s))
    earliest = start
    if before > 0:
        earliest = max(0, bisect_left(index.line, index.line[start] - before, 0, start) - REORDER)
    latest = bisect_left(index.line, index.line[end] + after + 1, end) - 1 if after > 0 else end
    last = min(len(index) - 1, max(end, latest) + 2 * REORDER)
    first = index.first_for(opener, earliest) or 0
    found = _look(opener, Stretch(index, request, first, last), (start, end), (before, after))
    if any(found.damaged) or found.silent:
        sound = _sound_before(opener, index, first)
        if sound < first:
            found = _look(opener, Stretch(index, request, sound, last), (start, end), (before, after))
    if not len(found):
        raise MediaError(
            f"{index.path}: no picture of {request.name} can be decoded "
            f"({request.start_s:.3f} to {request.end_s:.3f} s); its packets are in the evidential clip"
        )
    return found


def decode(index: PacketIndex, opener: Opener, first: int, last: int) -> Generator[Decoded, None, None]:
    """The pictures of the packets from ``first`` to ``last``, in the order in which they are presented.

    One thread, so that pictures of a damaged stream are the same every time; damage costs only itself.
    """
    broken = False
    flagged: set[int] = set()
    with opener(index.path) as opened:
        context = prepare(find_stream(opened, index.path, index.stream))
        packets: Iterator[Packet[Any] | None] = chain(index.read(opener, first, last, opened), (None,))
        for ordinal, packet in enumerate(packets, first):
            if packet is not None:
                packet.opaque = [ordinal]  # a list of its own: see PacketIndex.decode
                if packet.is_corrupt:
                    flagged.add(ordinal)
            try:
                frames = context.decode(packet)
            except (av.error.FFmpegError, OSError, ValueError):
                broken = True  # what follows builds on a picture that is not there, until one that stands alone
                continue
            for frame in frames:
                own: Any = frame.opaque
                number = own[0] if isinstance(own, list) else min(ordinal, last)
                damaged = bool(frame.is_corrupt) or number in flagged
                if frame.key_frame and not damaged:
                    broken = False
                yield Decoded(frame, number, damaged or broken)


def _look(opener: Opener, stretch: Stretch, ends: tuple[int, int], around: tuple[int, int]) -> Stretch:
    """Fill in what the stretch holds; empty when nothing of it can be decoded."""
    index = stretch.index
    every = Stretch(index, stretch.request, stretch.first, stretch.last)
    facts: list[tuple[str, bool]] = []
    with closing(decode(index, opener, stretch.first, stretch.last)) as decoded:
        for picture in decoded:
            frame = picture.frame
            every.packets.append(picture.packet)
            every.damaged.append(picture.damaged)
            every.sizes.append((frame.width, frame.height))
            facts.append((frame.format.name, bool(frame.interlaced_frame)))
    places = _range(every, ends, around)
    if places is None:
        return stretch
    begin, start, end, stop = places
    stretch.start, stretch.end = start - begin, end - begin
    stretch.packets, stretch.damaged = every.packets[begin:stop], every.damaged[begin:stop]
    stretch.sizes = every.sizes[begin:stop]
    for name, interlaced in facts[begin:stop]:
        stretch.formats[name] = stretch.formats.get(name, 0) + 1
        stretch.interlaced += interlaced
    stretch.before, stretch.after = list(every.packets[:begin]), list(every.packets[stop:])
    made = set(every.packets)
    stretch.silent = [k for k in range(min(stretch.packets), max(stretch.packets) + 1) if k not in made]
    for place, wanted, word in ((start, ends[0], "first"), (end, ends[1], "last")):
        if every.packets[place] != wanted:
            stretch.notes.append(f"the {word} frame of the event cannot be decoded here: the nearest one stands for it")
    return stretch


def _range(every: Stretch, ends: tuple[int, int], around: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """Where among the pictures the copy begins, the event begins and ends, and one past where the copy ends."""
    index, packets = every.index, every.packets
    if not packets:
        return None
    place = {packet: k for k, packet in enumerate(packets)}
    start, end = (
        place[packet] if packet in place else min(range(len(packets)), key=lambda k: (abs(packets[k] - packet), k))
        for packet in ends
    )
    start, end = min(start, end), max(start, end)
    begin, stop = start, end + 1
    earliest, latest = index.shown(packets[start]) - around[0], index.shown(packets[end]) + around[1]
    while around[0] and begin > 0 and index.shown(packets[begin - 1]) >= earliest:
        begin -= 1
    while around[1] and stop < len(packets) and index.shown(packets[stop]) <= latest:
        stop += 1
    return begin, start, end, stop


def _sound_before(opener: Opener, index: PacketIndex, first: int) -> int:
    """The beginning of a group of pictures before ``first`` that decodes without damage; 0 where there is none near."""
    later = first
    for _ in range(GROUPS_BACK):
        key = index.key_before(later - 1) if later else None
        if not key:
            return 0
        with closing(decode(index, opener, key, later - 1)) as decoded:
            if not any(picture.damaged for picture in decoded):
                return key
        later = key
    return 0
