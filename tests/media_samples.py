"""Small videos made on the spot, each with one peculiarity."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.stream import VideoStream

from vidreview.model import Pixels


def pattern(number: int, width: int, height: int) -> Pixels:
    """A BGR picture that differs from frame to frame: a gradient and a bar that wanders."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[:] = np.linspace(40, 200, width, dtype=np.uint8)[None, :, None]
    left = number * 4 % width
    picture[:, left : left + 8] = 235
    return picture


def make(
    path: Path,
    *,
    frames: int = 30,
    size: tuple[int, int] = (96, 64),
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    pts: Sequence[int] | None = None,
    time_base: Fraction = Fraction(1, 25),
    container: str | None = None,
    options: dict[str, str] | None = None,
    streams: int = 1,
    muxer: dict[str, str] | None = None,
) -> Path:
    """Encode ``frames`` pictures with the given ticks (default 0, 1, 2, …) into ``path``."""
    ticks = list(range(frames)) if pts is None else list(pts)
    with av.open(str(path), "w", format=container, options=muxer or {}) as output:
        made: list[VideoStream] = []
        for _ in range(streams):
            stream = output.add_stream(codec, rate=None if pts is not None else 25)
            assert isinstance(stream, VideoStream)
            stream.width, stream.height = size
            stream.pix_fmt = pixel_format
            stream.codec_context.time_base = time_base
            stream.time_base = time_base
            stream.codec_context.options = {"preset": "veryfast", "bf": "0", "g": "10"} if options is None else options
            made.append(stream)
        for number, tick in enumerate(ticks):
            for index, stream in enumerate(made):
                picture = av.VideoFrame.from_ndarray(pattern(number + 7 * index, *size), format="bgr24")
                frame = picture.reformat(format=pixel_format)
                frame.pts, frame.time_base = tick, time_base
                output.mux(stream.encode(frame))
        for stream in made:
            output.mux(stream.encode(None))
    return path


def remux(source: Path, path: Path, ticks: Sequence[int | None], container: str | None = None) -> Path:
    """Copy the packets of a video into another file with these ticks of 1/1000 s for timestamps."""
    with av.open(str(source)) as original, av.open(str(path), "w", format=container) as output:
        stream = original.streams.video[0]
        copy = output.add_stream_from_template(stream)
        packets = (packet for packet in original.demux(stream) if packet.size)
        for tick, packet in zip(ticks, packets, strict=False):
            packet.stream = copy
            packet.time_base = Fraction(1, 1000)
            packet.pts = packet.dts = tick
            packet.duration = 40
            output.mux(packet)
    return path


def turn(path: Path, degrees: int) -> Path:
    """Write a clockwise rotation into the track header of an MP4, in place."""
    data = bytearray(path.read_bytes())
    matrices = {
        90: (0, 1, -1, 0),
        180: (-1, 0, 0, -1),
        270: (0, -1, 1, 0),
    }
    a, b, c, d = (value * 65536 for value in matrices[degrees])
    at = data.index(b"tkhd") + 4 + 4 + 8 + 4 + 4 + 4 + 8 + 8
    matrix = (a, b, 0, c, d, 0, 0, 0, 1 << 30)
    data[at : at + 36] = b"".join(value.to_bytes(4, "big", signed=True) for value in matrix)
    path.write_bytes(data)
    return path


def pack_b_frames(source: Path, path: Path) -> Path:
    """Rewrite an MPEG-4 AVI with B-frames the way DivX did: a P- and a B-picture in one chunk, then an empty one."""
    with av.open(str(source)) as original:
        chunks = [bytes(packet) for packet in original.demux(original.streams.video[0]) if packet.size]
        size = original.streams.video[0].width, original.streams.video[0].height
    kinds = ["IPBS"[chunk[chunk.index(b"\x00\x00\x01\xb6") + 4] >> 6] for chunk in chunks]
    packed: list[bytes] = []
    at = 0
    while at < len(chunks):
        end = at + 1
        while end < len(chunks) and kinds[end] == "B":
            end += 1
        pictures = chunks[at + 1 : end]
        packed += [chunks[at] + pictures[0], *pictures[1:], b"\x00\x00\x01\xb6\x7f"] if pictures else [chunks[at]]
        at = end
    start = packed[0].index(b"\x00\x00\x01\xb3")
    packed[0] = packed[0][:start] + b"\x00\x00\x01\xb2DivX503b1393p" + packed[0][start:]
    with av.open(str(path), "w", format="avi") as output:
        stream = output.add_stream("mpeg4", rate=25)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        for number, data in enumerate(packed):
            packet = av.Packet(data)
            packet.stream = stream
            packet.pts = packet.dts = number
            packet.time_base = Fraction(1, 25)
            packet.is_keyframe = number == 0
            output.mux(packet)
    return path
