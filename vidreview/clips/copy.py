"""Evidential clips: the exhibit's own packets in a container that keeps them as they are (rule D1)."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import av
import av.error

from vidreview.clips.packets import NONE, REORDER, Opener, PacketIndex, demux, find_stream, read_index
from vidreview.clips.record import Parent, hash_file, make_folder, put_in_place, write_manifest
from vidreview.errors import CaseError, MediaError

if TYPE_CHECKING:
    from av.packet import Packet

#: (FFmpeg's format, extension) in order of preference; the source's own comes third
_COMMON: Final = (("mp4", ".mp4"), ("matroska", ".mkv"))
_OWN: Final = {
    "asf": ("asf", ".asf"),
    "avi": ("avi", ".avi"),
    "flv": ("flv", ".flv"),
    "mpeg": ("vob", ".mpg"),
    "mxf": ("mxf", ".mxf"),
    "ogg": ("ogg", ".ogv"),
}
#: a transport stream carries H.264 and H.265 the way recorders write them; NUT carries anything
_LAST: Final = (("mpegts", ".ts"), ("avi", ".avi"), ("nut", ".nut"))

#: Times in the clip may differ from the exhibit's by the rounding of a container that counts milliseconds.
TIMING_S: Final = Fraction(1, 1000)


@dataclass(frozen=True, slots=True)
class ClipRequest:
    """Which stretch of which stream."""

    #: what the file is named after: "E0007"
    name: str
    #: index within the container
    stream: int
    start_pts: int
    end_pts: int
    #: seconds on the stream's time line
    start_s: float
    end_s: float
    #: numbers of presented frames
    first_frame: int
    last_frame: int
    #: False where the exhibit holds no timestamps and PTS are the reader's own
    timed: bool = True
    #: seconds to add before and after
    before_s: float = 0.0
    after_s: float = 0.0
    #: clockwise degrees a player turns the picture by; a stream copy leaves that to the player
    rotation: int = 0
    #: width/height of a pixel
    sample_aspect: Fraction = Fraction(1)

    def to_json(self) -> dict[str, Any]:
        """What the record of a clip says was asked for."""
        return {
            "start_pts": self.start_pts,
            "end_pts": self.end_pts,
            "start_s": round(self.start_s, 6),
            "end_s": round(self.end_s, 6),
            "before_s": self.before_s,
            "after_s": self.after_s,
        }


@dataclass(frozen=True, slots=True)
class ClipRecord:
    """A clip that was written, and its manifest."""

    path: Path
    sha256: str
    manifest: Path
    manifest_sha256: str
    #: what the manifest says
    document: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Packets to copy, by their place in the stream, and what they are for."""

    first: int
    last: int
    #: packets of the first and last requested frame
    start: int
    end: int
    notes: tuple[str, ...]


def cut(
    opener: Opener,
    parent: Parent,
    request: ClipRequest,
    folder: Path,
    *,
    index: PacketIndex | None = None,
    origin: dict[str, Any] | None = None,
) -> ClipRecord:
    """Copy the packets that show a stretch of a stream into a clip of its own, with a manifest beside it.

    The clip starts at the key frame at or before the stretch. It is read back: a container that alters a packet or
    shifts a time is not used. ``index`` is what ``read_index`` gave for the stream, ``origin`` (command, version, time)
    goes into the manifest. The caller has checked the exhibit with ``check_parent``.
    Raises EvidenceError, MediaError where no packet, or no container that keeps them, is found, and CaseError.
    """
    index = index or read_index(opener, parent.path, request.stream)
    stretch = _stretch(opener, index, request)
    times = _clip_times(opener, index, stretch)
    make_folder(folder)
    tried: list[str] = []
    for form, extension in _candidates(index):
        final = folder / f"{request.name}_copy{extension}"
        temporary = final.with_name(final.name + ".part")
        try:
            packets, others = _write(opener, index, stretch, times, temporary, form)
            clip = _compare(temporary, packets, times, index.time_base)
        except _AlteredError as reason:
            tried.append(f"{form}: {reason}")
            temporary.unlink(missing_ok=True)
            continue
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        clip |= {"file": final.name, "format": form, "sha256": hash_file(temporary), "size": temporary.stat().st_size}
        put_in_place(temporary, final)
        document = _document(index, parent, request, stretch, clip)
        document |= {"containers_refused": tried, "streams_not_copied": others, "packets": packets}
        manifest = folder / f"{request.name}_copy.json"
        return ClipRecord(
            final, clip["sha256"], manifest, write_manifest(manifest, document | (origin or {})), document
        )
    raise MediaError(
        f"{parent.path}: no clip of {request.name} was cut, since no container keeps its packets as they are "
        f"({'; '.join(tried)})"
    )


#: what the system says when it is the folder or the disk that refuses, whatever the container
_FOLDER: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


class _AlteredError(Exception):
    """A container does not take the packets, or does not keep them."""


def _stretch(opener: Opener, index: PacketIndex, request: ClipRequest) -> _Stretch:
    """Which packets show the requested stretch."""
    start = index.place(opener, request.start_pts, request.first_frame, request.timed)
    end = index.place(opener, request.end_pts, request.last_frame, request.timed)
    start, end = min(start, end), max(start, end)
    notes = []
    lead = start
    if request.before_s > 0:
        lead = bisect_left(index.line, index.line[start] - int(Fraction(request.before_s) / index.time_base), 0, start)
    first = index.first_for(opener, lead)
    if first is None:
        first = 0
        notes.append("no key frame at or before the start: the clip begins with the stream's first packet")
    tail = end
    if request.after_s > 0:
        until = index.line[end] + int(Fraction(request.after_s) / index.time_base)
        tail = bisect_right(index.line, until, end) - 1
    last = max(tail, *_shown_before(opener, index, first, tail))
    return _Stretch(first, last, start, end, tuple(notes))


def _shown_before(opener: Opener, index: PacketIndex, first: int, tail: int) -> Iterator[int]:
    """Packets that are shown up to ``tail``, yet may be decoded after it; ``first`` among them."""
    yield first
    until = min(len(index) - 1, tail + REORDER)
    if index.ordered(first, until):
        yield from (k for k in range(tail + 1, until + 1) if index.shown(k) < index.shown(tail))
    else:
        order = index.order(opener, first, until)
        if tail in order:
            yield from order[: order.index(tail)]


def _clip_times(opener: Opener, index: PacketIndex, stretch: _Stretch) -> list[tuple[int, int]]:
    """PTS and DTS of each packet within the clip, ticks of the exhibit's time base, from 0.

    They are the exhibit's, moved by one constant and without steps back. Where it gives none, the order in which the
    decoder presents the pictures is laid over the line of decoding times.
    """
    span = range(stretch.first, stretch.last + 1)
    zero = index.line[stretch.first]
    dts = [index.line[k] - zero for k in span]
    if all(index.pts[k] != NONE and index.dts[k] != NONE for k in span):
        return [(max(index.shown(k) - zero, tick), tick) for k, tick in zip(span, dts, strict=True)]
    rank = {packet: place for place, packet in enumerate(index.presentation(opener))}
    keys, latest = [], -1.0
    for k in span:
        # a packet without a picture goes after the ones decoded before it
        keys.append(float(rank[k]) if k in rank else latest + 0.5)
        latest = max(latest, keys[-1])
    order = sorted(range(len(dts)), key=lambda k: (keys[k], k))
    pts = [0] * len(dts)
    for place, k in enumerate(order):
        pts[k] = dts[place]
    delay = max(tick - shown for tick, shown in zip(dts, pts, strict=True))
    return [(shown + delay, tick) for shown, tick in zip(pts, dts, strict=True)]


def _candidates(index: PacketIndex) -> Iterator[tuple[str, str]]:
    own = _OWN.get(index.container)
    seen = set()
    for candidate in (*_COMMON, *([own] if own else []), *_LAST):
        if candidate not in seen:
            seen.add(candidate)
            yield candidate


def _write(
    opener: Opener, index: PacketIndex, stretch: _Stretch, times: list[tuple[int, int]], path: Path, form: str
) -> tuple[list[dict[str, Any]], list[str]]:
    """Write the packets; their description as they stand in the exhibit, and the streams that were left out."""
    options = {"fflags": "+bitexact"}  # the same clip has the same bytes whenever it is cut
    if form == "mp4" and index.time_base.numerator == 1:
        options["video_track_timescale"] = str(index.time_base.denominator)
    described: list[dict[str, Any]] = []
    with opener(index.path) as opened:
        template = find_stream(opened, index.path, index.stream)
        others = [f"{s.index}: {s.type}" for s in opened.container.streams if s.index != index.stream]
        try:
            output = av.open(str(path), "w", format=form, options=options)
        except OSError as error:  # FFmpegError too: the folder, not the format, refuses
            raise CaseError(f"cannot write {path}: {error.strerror}") from error
        with _refusals(path, "is not finished"), output:
            with _refusals(path, f"does not take {index.codec}"):
                target: Any = output.add_stream_from_template(template)
                output.start_encoding()
            for packet in index.read(opener, stretch.first, stretch.last, opened):
                described.append(_describe(packet, index, stretch.first + len(described)))
                packet.stream = target
                packet.pts, packet.dts = times[len(described) - 1]
                packet.time_base = index.time_base
                # AVI says one tick, others nothing: a last picture of no length would be hidden by MP4
                packet.duration = max(packet.duration or 0, index.interval)
                with _refusals(path, f"does not take packet {len(described)}"):
                    output.mux_one(packet)
    return described, others


@contextlib.contextmanager
def _refusals(path: Path, what: str) -> Iterator[None]:
    """Tells a container that refuses the packets (_AlteredError) from a folder that cannot be written (CaseError)."""
    try:
        yield
    except (av.error.FFmpegError, ValueError) as error:
        reason = getattr(error, "errno", None)
        if reason in _FOLDER:
            raise CaseError(f"cannot write {path.with_suffix('')}: {os.strerror(reason)}") from error
        raise _AlteredError(f"{what} ({error})") from error


def _describe(packet: Packet[Any], index: PacketIndex, ordinal: int) -> dict[str, Any]:
    return {
        "pts": packet.pts,
        "dts": packet.dts,
        "size": packet.size,
        "key": bool(index.keys[ordinal]),
        "sha256": hashlib.sha256(packet).hexdigest(),
    }


def _compare(
    path: Path, packets: list[dict[str, Any]], times: list[tuple[int, int]], time_base: Fraction
) -> dict[str, Any]:
    """Read a clip back and compare each packet and time with the exhibit's; raises _AlteredError at a difference."""
    count, first, worst = 0, Fraction(0), Fraction(0)
    zero: int | None = None
    try:
        with av.open(str(path)) as clip:
            stream = clip.streams.video[0]
            base = Fraction(stream.time_base or 1)
            for packet in demux(clip, stream):
                if count >= len(packets) or hashlib.sha256(packet).hexdigest() != packets[count]["sha256"]:
                    raise _AlteredError(f"alters packet {count + 1} of {len(packets)}")
                if packet.is_discard:
                    raise _AlteredError(f"hides packet {count + 1} of {len(packets)}")
                tick = packet.pts if packet.pts is not None else packet.dts
                if tick is None:
                    raise _AlteredError("keeps no timestamps")
                offset = tick * base - times[count][0] * time_base
                if zero is None:
                    zero, first = tick, offset
                worst = max(worst, abs(offset - first))
                count += 1
    except (av.error.FFmpegError, OSError, IndexError) as error:
        raise _AlteredError(f"cannot be read back ({error})") from error
    if count != len(packets):
        raise _AlteredError(f"gives back {count} packets of {len(packets)}")
    if worst > TIMING_S:
        raise _AlteredError(f"shifts times by up to {float(worst):.6f} s")
    return {
        "time_base": f"{base.numerator}/{base.denominator}",
        "first_packet_pts": zero,
        "largest_timing_difference_s": round(float(worst), 9),
        "packets_compared": count,
    }


def _document(
    index: PacketIndex, parent: Parent, request: ClipRequest, stretch: _Stretch, clip: dict[str, Any]
) -> dict[str, Any]:
    """The manifest, but for the packets."""
    span = range(stretch.first, stretch.last + 1)
    earliest, latest = min(span, key=index.shown), max(span, key=index.shown)

    def seconds(packet: int, beside: int, known: float) -> float:
        return round(known + float((index.shown(packet) - index.shown(beside)) * index.time_base), 6)

    def pts(packet: int) -> int | None:
        return None if index.pts[packet] == NONE else index.pts[packet]

    start_s = seconds(earliest, stretch.start, request.start_s)
    return {
        "kind": "clip",
        "method": "stream copy: every packet is the exhibit's own, compared by hash after writing; not re-encoded",
        "event": request.name,
        "exhibit": parent.to_json(),
        "stream": index.to_json(),
        "requested": request.to_json(),
        "delivered": {
            "start_pts": pts(earliest),
            "end_pts": pts(latest),
            "start_s": start_s,
            "end_s": seconds(latest, stretch.end, request.end_s),
            "first_packet": stretch.first,
            "last_packet": stretch.last,
        },
        "timestamps": "the exhibit's, moved by one constant"
        if request.timed and all(index.pts[k] != NONE for k in span)
        else "the exhibit lacks timestamps here: made from the order of its packets and the rate of the stream",
        "clip": clip,
        "notes": list(stretch.notes),
    }
