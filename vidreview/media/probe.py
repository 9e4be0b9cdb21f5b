"""Say what a file is: every packet is read once and its timestamps measured, a few pictures are decoded."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import av
import av.error
import numpy as np
from numpy.typing import NDArray

from vidreview.errors import MediaError
from vidreview.media.damage import Sent, Stretches, spoilt
from vidreview.media.extent import MATROSKA, MAX_CLAIM_S, extent, matroska_rest
from vidreview.media.pace import NO_PTS, find_interval, find_rate, find_segments, find_skips, find_steps, rate_varies
from vidreview.media.source import Source, is_cover
from vidreview.media.timeline import ABSURD_TICKS, GAP_S, Timeline
from vidreview.model import FileInfo, Problem, StreamInfo

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.codeccontext import VideoCodecContext
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

#: Larger pictures are refused: no camera makes them, and one frame would take all memory.
MAX_SIDE: Final = 16384
MAX_PIXELS: Final = 100_000_000
#: No camera takes more pictures a second.
MAX_RATE: Final = 1000
#: No recorder has more channels in one file; each stream costs a decoder, and a reading of the whole file.
MAX_STREAMS: Final = 64
#: Containers whose header says how long the recording is; of others FFmpeg merely estimates it.
CLAIMING: Final = frozenset({"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "avi", "asf", "flv", "mxf", "wtv", "nut"})
#: A demuxer that fails so often in a row is given up.
MAX_FAILURES: Final = 100
#: Packets given to the decoder at most in search of a first picture.
FIRST_PICTURE_PACKETS: Final = 600


@dataclass(slots=True)
class _Measured:
    """What the packets of one stream say."""

    stream: VideoStream
    ticks: array[int] = field(default_factory=lambda: array("q"))
    #: where in the file each packet lies, -1 where the container does not tell
    bytes: array[int] = field(default_factory=lambda: array("q"))
    spoilt: Stretches = field(default_factory=lambda: Stretches("spoilt", "cannot be whole", "packet"))
    hidden: int = 0
    corrupt: int = 0
    last_duration: int = 0
    sent: int = 0
    broken: int = 0
    first: VideoFrame | None = None
    codec: str = ""
    refused: str | None = None


def probe(path: Path) -> FileInfo:
    """What the file is and holds, with the problems found.

    Raises EvidenceError when it cannot be read as a file, MediaError with one reason when it holds no video.
    """
    with Source(Path(path)) as source:
        container = source.container
        problems = list(source.problems)
        covers = [s for s in container.streams.video if is_cover(s)]
        if covers:
            problems.append(Problem("cover-art", f"{len(covers)} attached still picture(s), not footage"))
        streams = source.video_streams()
        if not streams:
            kinds = ", ".join(sorted({s.type for s in container.streams})) or "no"
            raise MediaError(f"{path}: no video stream; {source.format} with {kinds} stream(s) only")
        if len(streams) > MAX_STREAMS:
            text = f"{len(streams)} video streams: those after the first {MAX_STREAMS} are not processed"
            problems.append(Problem("streams", text))
            del streams[MAX_STREAMS:]
        measured = {s.index: _Measured(s, codec=s.codec_context.name if s.codec_context else "") for s in streams}
        ends, read = _read_packets(source, measured, problems)
        missing = _check_extent(source, read, problems)
        infos = [_stream_info(source, m, ends, missing) for m in measured.values()]
        if all(info.packets == 0 for info in infos):
            raise MediaError(f"{path}: a {source.format} header without a single picture behind it")
        if all(m.first is None for m in measured.values()):
            reasons = "; ".join(p.reason for info in infos for p in info.problems if p.kind == "undecodable")
            raise MediaError(f"{path}: {reasons or 'no picture could be decoded'}")
        metadata = dict(container.metadata)
        created = next((metadata[k] for k in ("creation_time", "date", "DATE") if k in metadata), None)
        return FileInfo(
            container=source.format,
            size=source.size,
            streams=tuple(infos),
            creation_time=created,
            metadata=metadata,
            problems=tuple(problems),
            byte_offset=source.offset,
        )


def demux(
    source: Source, streams: list[Any], failures: list[str], late: list[int] | None = None
) -> Iterator[Packet[Any]]:
    """Every packet of the streams; a demuxer that fails is asked again, within bounds, and its errors kept.

    ``late`` is given an item when there is a packet of a stream that was not there when the file was opened.
    """
    in_a_row = 0
    while True:
        try:
            for packet in source.container.demux(streams):
                if packet.size:
                    in_a_row = 0
                    yield packet
            return
        except IndexError:
            # PyAV does not know the stream of this packet: it began in the middle of the file
            if late is not None:
                late.append(1)
        except (av.error.FFmpegError, OSError) as error:
            in_a_row += 1
            failures.append(str(getattr(error, "strerror", None) or error))
            if in_a_row >= MAX_FAILURES:
                return


def _check_extent(source: Source, read: int, problems: list[Problem]) -> int:
    """Bytes that the container's own word places beyond the end of the file; ``read`` were in packets."""
    told = extent(source.read_at, source.offset, source.size, source.format)
    missing = max(0, told.reach - source.size)
    if missing:
        text = f"the container's own sizes point {missing} bytes beyond the end of the file: truncated, or damaged"
        problems.append(Problem("truncated", text, byte=source.size))
    if told.broken is not None:
        text = "the container's structure is broken: what follows may be lost in part"
        problems.append(Problem("structure", text, byte=told.broken))
    others = any(s.type not in ("video", "audio") for s in source.container.streams)
    if told.media is not None and not others and (told.media - read) * 100 > told.media:
        text = f"{told.media - read} bytes of media data belong to no picture or sound that the index lists"
        problems.append(Problem("unread", text))
    return missing


def _read_packets(source: Source, measured: dict[int, _Measured], problems: list[Problem]) -> tuple[Fraction, int]:
    """Measure all packets; returns the end of the last one of any sound or video stream, seconds, and their bytes."""
    failures: list[str] = []
    late: list[int] = []
    size = 0
    sound = [s for s in source.container.streams if s.type == "audio"]
    latest: dict[int, int] = {}
    for packet in demux(source, [m.stream for m in measured.values()] + sound, failures, late):
        one = measured.get(packet.stream_index)
        pts, size = packet.pts, size + packet.size
        if one is None:
            if pts is not None:
                latest[packet.stream_index] = max(latest.get(packet.stream_index, 0), pts + (packet.duration or 0))
            continue
        if packet.is_discard:
            one.hidden += 1
            continue
        one.ticks.append(NO_PTS if pts is None or not -ABSURD_TICKS < pts < ABSURD_TICKS else pts)
        byte = source.byte(packet)
        one.bytes.append(-1 if byte is None else byte)
        if why := spoilt(one.codec, bytes(packet)):
            one.spoilt.add(len(one.ticks), Sent(None if source.raw else pts, byte), None, why)
        one.corrupt += packet.is_corrupt
        one.last_duration = packet.duration or 0
        if one.first is None and one.refused is None and one.sent < FIRST_PICTURE_PACKETS:
            _try_picture(one, packet)
    for one in measured.values():
        if one.first is None and one.refused is None and one.ticks:
            _try_picture(one, None)
    if failures:
        problems.append(Problem("damage", f"the container is broken in {len(failures)} place(s): {failures[0]}"))
    if late:
        text = "a stream begins in the middle of the file and is not processed; cut that part out to have it read"
        problems.append(Problem("late-stream", text))
    bases = {s.index: Fraction(s.time_base or 0) for s in sound}
    return max((ticks * bases[index] for index, ticks in latest.items()), default=Fraction(0)), size


def _try_picture(one: _Measured, packet: Packet[Any] | None) -> None:
    """Decode until a first picture comes out: it alone tells rotation and proves that there is something to see."""
    context: VideoCodecContext | None = one.stream.codec_context
    if context is None:
        one.refused = "no decoder for this codec"
        return
    one.refused = refusal(context.width, context.height)
    if one.refused:
        return
    one.sent += 1
    try:
        frames = context.decode(packet)
    except (av.error.FFmpegError, OSError, ValueError):
        one.broken += 1
        return
    if frames:
        one.first = frames[0]
        one.refused = refusal(frames[0].width, frames[0].height)


def refusal(width: int, height: int) -> str | None:
    """Why a picture of this size is not decoded, None when it is."""
    if width > MAX_SIDE or height > MAX_SIDE or width * height > MAX_PIXELS:
        return f"absurd picture size {width}x{height}: refused, likely damage or a hostile file"
    return None


def _stream_info(source: Source, one: _Measured, ends: Fraction, missing: int) -> StreamInfo:
    stream, frame = one.stream, one.first
    context: VideoCodecContext | None = stream.codec_context
    time_base = Fraction(stream.time_base or Fraction(1, 90000))
    ticks = np.frombuffer(one.ticks, np.int64) if one.ticks else np.zeros(0, np.int64)
    timed = not source.raw and bool((ticks != NO_PTS).any())
    declared = _declared_rate(source, stream)
    problems: list[Problem] = []
    if frame is None or one.refused:
        reason = one.refused or f"none of {one.sent} packets tried could be decoded to a picture"
        problems.append(Problem("undecodable", f"stream {stream.index}: {reason}"))
    known = ticks[ticks != NO_PTS]
    order = find_segments(known, time_base) if timed else []
    segments = [known[part] for part in order]
    steps = find_steps(segments)
    interval = find_interval(ticks, steps, time_base, declared, timed)
    complete = len(known) == len(ticks)
    places = np.frombuffer(one.bytes, np.int64) if one.bytes else ticks
    if timed and complete:
        ticks, places = np.concatenate(segments), places[np.concatenate(order)]
    line = _timeline(ticks, places, complete and len(segments) == 1, steps, time_base, interval, timed, problems)
    start = int(segments[0][0]) if segments else None
    claimed = _claimed(source, one, time_base, problems)
    info = StreamInfo(
        index=stream.index,
        codec=context.name if context is not None else "unknown",
        pixel_format=frame.format.name if frame is not None else str(getattr(context, "pix_fmt", None) or "unknown"),
        width=frame.width if frame is not None else getattr(context, "width", 0),
        height=frame.height if frame is not None else getattr(context, "height", 0),
        rotation=round(-frame.rotation / 90) * 90 % 360 if frame is not None else 0,
        sample_aspect=Fraction(getattr(stream, "sample_aspect_ratio", None) or 1),
        time_base=time_base,
        start_pts=start,
        declared_rate=declared,
        measured_rate=find_rate(steps, time_base, interval, complete) if timed else None,
        variable_rate=complete and rate_varies(steps, time_base, interval),
        duration_s=float(line * time_base) if timed and len(ticks) else None,
        packets=len(ticks),
        frame_interval=interval,
        timed=timed,
        cut_off=_cut_off(source, one, claimed, line * time_base, time_base, interval, start, ends, missing),
        length=line,
    )
    if info.cut_off:
        end = int(segments[-1][-1]) + max(1, round(interval / time_base))
        last = source.size if missing else int(places[-1])
        problems.append(truncated_problem(info, end, last if last >= 0 else None))
    problems += [*one.spoilt.problems(), *_disagreements(source, one, info)]
    return replace(info, problems=tuple(problems))


def _declared_rate(source: Source, stream: VideoStream) -> Fraction | None:
    """The bit stream's own word on its rate, else the container's, None where both are silent."""
    context = stream.codec_context
    for rate in (getattr(context, "framerate", None), None if source.raw else stream.average_rate):
        if rate and Fraction(1, 3600) <= rate <= MAX_RATE:
            return Fraction(rate)
    return None


def _timeline(
    ticks: NDArray[np.int64],
    places: NDArray[np.int64],
    whole: bool,
    steps: NDArray[np.int64],
    time_base: Fraction,
    interval: Fraction,
    timed: bool,
    problems: list[Problem],
) -> int:
    """Ticks from the first frame to the end of the last; adds what is wrong with the timestamps to ``problems``.

    ``ticks`` are in presentation order where all are known; ``whole`` when they never step back either.
    """
    one = max(1, round(interval / time_base))
    if not timed:
        problems.append(untimed_problem(interval))
        return round(len(ticks) * interval / time_base)
    line: Timeline[None] = Timeline(time_base, interval)
    if whole and len(steps) and steps.min() > 0 and steps.max() * time_base <= GAP_S:
        for number in find_skips(steps, one, time_base):
            text = f"no picture for {line.seconds(int(steps[number])):.3f} s in a stream that is regular but for this"
            at, byte = int(ticks[number] - ticks[0]), int(places[number + 1])
            line.note("skip", text, at, int(ticks[number]), int(ticks[number + 1]), byte if byte >= 0 else None)
        problems += line.problems()
        return int(ticks[-1] - ticks[0]) + one
    end = 0
    for pts, byte in zip(ticks.tolist(), places.tolist(), strict=True):
        for placed in line.push(None if pts == NO_PTS else pts, None, byte=byte if byte >= 0 else None):
            end = placed.position
            if placed.event == "gap":
                line.note_gap(placed)
    for placed in line.flush():
        end = placed.position
    problems += line.problems()
    return end + one


def untimed_problem(interval: Fraction) -> Problem:
    """What to say of a stream without timestamps."""
    return Problem(
        "no-timestamps",
        f"the file holds no timestamps: times are assumed, counted at {float(1 / interval):.6g} frames per second",
    )


def _claimed(source: Source, one: _Measured, time_base: Fraction, problems: list[Problem]) -> Fraction | None:
    """Seconds that the container says the stream lasts; None where it says nothing, or nothing to be believed."""
    if source.format not in CLAIMING:
        return None
    if one.stream.duration is not None:
        claimed = one.stream.duration * time_base
    elif source.container.duration:
        claimed = Fraction(source.container.duration, av.time_base)
    else:
        return None
    if 0 <= claimed <= MAX_CLAIM_S:
        return claimed
    text = f"the container claims to last {float(claimed):.6g} s: absurd, and not believed"
    problems.append(Problem("absurd-duration", text))
    return None


def _cut_off(
    source: Source,
    one: _Measured,
    claimed: Fraction | None,
    line: Fraction,
    time_base: Fraction,
    interval: Fraction,
    start: int | None,
    sound_end: Fraction,
    missing: int,
) -> Fraction:
    """Seconds that the container claims beyond the last packet, 0 where it claims none.

    ``missing`` bytes are not there by the container's own word.
    """
    if claimed is None or start is None:
        return Fraction(0)
    stream = one.stream
    if source.format == "avi":
        frames = stream.frames - len(one.ticks) - one.hidden
        return frames * interval if 0 < frames * interval <= MAX_CLAIM_S else Fraction(0)
    own = stream.duration is not None or "DURATION" in stream.metadata
    covered = line - interval + max(interval, one.last_duration * time_base)
    from_zero = start * time_base if source.format == MATROSKA else Fraction(0)
    if not own:
        covered = max(covered, sound_end - from_zero)
    rest = claimed - covered
    if source.format == MATROSKA:
        present = Fraction(source.size - source.offset, source.size - source.offset + missing)
        rest = matroska_rest(claimed, covered, start * time_base, interval, present)
    slack = interval * 3 / 2 if own else max(interval * 3 / 2, Fraction(1, 2))
    if missing:
        slack = interval / 2  # no matter of rounding: something is missing for certain
    return rest if rest > slack else Fraction(0)


def truncated_problem(info: StreamInfo, end: int, byte: int | None) -> Problem:
    """What to say of a stream whose end is missing after PTS ``end``."""
    text = f"the container claims {float(info.cut_off):.3f} s more than there is: truncated or unfinished"
    at = float(info.length * info.time_base)
    return Problem("truncated", text, at, end, end + round(info.cut_off / info.time_base), byte)


def _disagreements(source: Source, one: _Measured, info: StreamInfo) -> list[Problem]:
    """Where the container's word and the measurement differ."""
    found: list[Problem] = []
    counted = info.packets + one.hidden
    if not info.cut_off and source.format in CLAIMING and one.stream.frames not in (0, counted):
        found.append(
            Problem("frame-count", f"the container declares {one.stream.frames} frames but gives {info.packets}")
        )
    if one.hidden:
        found.append(Problem("hidden", f"{one.hidden} packets are hidden from players by the file's edit list"))
    if one.corrupt:
        found.append(Problem("damage", f"{one.corrupt} packet(s) flagged broken or incomplete by the container"))
    declared, rate = info.declared_rate, info.measured_rate
    if rate and rate > MAX_RATE:
        found.append(Problem("rate", f"timestamps give {rate:.6g} frames per second: absurd; times mean nothing"))
    elif declared and rate and abs(rate - float(declared)) > 0.02 * float(declared):
        found.append(Problem("rate", f"declares {float(declared):.6g} frames per second, timestamps give {rate:.6g}"))
    return found
