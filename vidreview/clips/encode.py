"""Pictures into an MP4 file that any browser plays, and that file read back (rule D2)."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import av
import av.error
import numpy as np
from av.video.reformatter import ColorRange

from vidreview.clips.times import Times
from vidreview.colours import Colours, colours_of
from vidreview.errors import CaseError, MediaError

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

    from vidreview.model import Pixels

#: 8-bit 4:2:0 as it is encoded: whatever is decoded to these goes in sample by sample
_AS_THEY_ARE: Final = frozenset(("yuv420p", "yuvj420p", "nv12", "nv21"))
#: H.273 codes that say "unspecified"
_UNSPECIFIED: Final = 2
#: what is tagged where the stream declares no matrix: BT.709 and BT.601, see ``colours_of``
_ASSUMED: Final = {"BT.709": 1, "BT.601": 6}

#: Frames encoded at once. The bytes depend on their number, so it is not that of the machine's cores.
THREADS: Final = 4
#: Visually lossless: see docs/copies.md for the measurement.
CRF: Final = 18
PRESET: Final = "fast"
#: Frames from one key frame to the next, at most: a browser steps back without decoding for long.
KEY_EVERY: Final = 24
#: No B-frames, so that a file's decoding times are its presentation times. No psycho-visual tuning, which
#: invents texture; no frame gets less because few later ones build on it. The same bytes on any processor.
X264: Final = (
    f"bframes=0:keyint={KEY_EVERY}:min-keyint=1:open-gop=0:psy=0:mbtree=0:aq-mode=3:cpu-independent=1:"
    f"threads={THREADS}:lookahead-threads=1:sliced-threads=0"
)

#: what the system says when it is the folder or the disk that refuses
_FOLDER: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


@dataclass(frozen=True, slots=True)
class Planes:
    """A picture in 8-bit 4:2:0; the three planes are views of ``buffer``, to be painted on."""

    #: (height · width · 3 / 2,) bytes
    buffer: Pixels
    #: (height, width)
    luma: Pixels
    #: (height / 2, width / 2) each
    blue: Pixels
    red: Pixels

    @staticmethod
    def empty(width: int, height: int, black: int = 16) -> Planes:
        """A black picture; ``width`` and ``height`` are even."""
        area = width * height
        buffer = np.full(area * 3 // 2, 128, np.uint8)
        buffer[:area] = black
        luma = buffer[:area].reshape(height, width)
        blue = buffer[area : area + area // 4].reshape(height // 2, width // 2)
        red = buffer[area + area // 4 :].reshape(height // 2, width // 2)
        return Planes(buffer, luma, blue, red)

    @property
    def width(self) -> int:
        """Pixels across."""
        return int(self.luma.shape[1])

    @property
    def height(self) -> int:
        """Pixels down."""
        return int(self.luma.shape[0])

    def copy(self) -> Planes:
        """The same picture with a buffer of its own."""
        other = Planes.empty(self.width, self.height)
        other.buffer[:] = self.buffer
        return other

    def turned(self, rotation: int) -> Planes:
        """Turned clockwise by 0, 90, 180 or 270 degrees: every sample is kept."""
        if not rotation % 360:
            return self
        across, down = (self.height, self.width) if rotation % 180 else (self.width, self.height)
        other = Planes.empty(across, down)
        for target, source in zip((other.luma, other.blue, other.red), (self.luma, self.blue, self.red), strict=True):
            target[:] = np.rot90(source, -rotation // 90)
        return other


@dataclass(frozen=True, slots=True)
class Canvas:
    """The one picture size of a copy: large enough for every picture, which is neither enlarged nor reduced."""

    #: stored geometry, even
    width: int
    height: int
    #: clockwise degrees that the copy is turned by
    rotation: int

    @staticmethod
    def around(sizes: Iterable[tuple[int, int]], rotation: int) -> Canvas:
        """The canvas for pictures of these widths and heights."""
        seen = set(sizes)
        width, height = max(size[0] for size in seen), max(size[1] for size in seen)
        return Canvas(width + width % 2, height + height % 2, rotation)

    @property
    def shown(self) -> tuple[int, int]:
        """Width and height of the copy."""
        return (self.height, self.width) if self.rotation % 180 else (self.width, self.height)

    def place(self, frame: VideoFrame) -> Planes:
        """A decoded picture at the top left of the canvas, at stored geometry, not yet turned.

        A missing last column or row repeats the one beside it.
        """
        colours = colours_of(frame)
        picture = Planes.empty(self.width, self.height, 0 if colours.full_range else 16)
        for plane, source in zip((picture.luma, picture.blue, picture.red), _samples(frame, colours), strict=True):
            down, across = source.shape
            plane[:down, :across] = source
            if plane is picture.luma and down % 2 and down < plane.shape[0]:
                plane[down, :across] = source[-1]
            if plane is picture.luma and across % 2 and across < plane.shape[1]:
                plane[: down + down % 2, across] = plane[: down + down % 2, across - 1]
        return picture


def _samples(frame: VideoFrame, colours: Colours) -> tuple[Pixels, Pixels, Pixels]:
    """Luma, blue and red difference of a picture, 8-bit 4:2:0 in its own matrix and range; views where they can be."""
    name = frame.format.name
    if name not in ("yuv420p", "yuvj420p"):
        coloured = frame.format.is_rgb or name.startswith("pal")
        spread = ColorRange.JPEG if colours.full_range or coloured else ColorRange.MPEG
        frame = frame.reformat(
            format="yuv420p",
            src_colorspace=colours.matrix,
            dst_colorspace=colours.matrix,
            src_color_range=spread,
            dst_color_range=ColorRange.MPEG if coloured else spread,
        )
    across, down = (frame.width + 1) // 2, (frame.height + 1) // 2
    planes = []
    for plane, (width, height) in zip(
        frame.planes, ((frame.width, frame.height), (across, down), (across, down)), strict=True
    ):
        stride = plane.line_size
        flat = np.frombuffer(memoryview(plane), np.uint8, stride * height)
        planes.append(flat.reshape(height, stride)[:, :width])
    return planes[0], planes[1], planes[2]


@dataclass(frozen=True, slots=True)
class Tags:
    """What a copy declares of its colours, H.273 codes, and what was done to come to them."""

    matrix: int
    full_range: bool
    primaries: int
    transfer: int
    record: dict[str, Any]

    @staticmethod
    def of(frame: VideoFrame, formats: dict[str, int]) -> Tags:
        """By the first picture; ``formats`` are the pixel formats of all."""
        colours = colours_of(frame)
        coloured = frame.format.is_rgb or frame.format.name.startswith("pal")
        full = colours.full_range and not coloured
        matrix = int(frame.colorspace) if colours.matrix_declared else _ASSUMED[colours.matrix_name]
        same = all(name in _AS_THEY_ARE for name in formats)
        record = {
            "pixel_formats": formats,
            "matrix": colours.matrix_name,
            "matrix_declared": colours.matrix_declared,
            "range": "full" if full else "limited",
            "range_declared": colours.range_declared,
            "samples": "the decoder's own, neither converted nor stretched"
            if same
            else "converted to 8-bit 4:2:0, which H.264 players take: finer colour or depth is in the evidential clip",
            "tagged": "as the exhibit declares it; where it declares no matrix, as players assume it",
        }
        return Tags(matrix, full, int(frame.color_primaries), int(frame.color_trc), record)


@dataclass(frozen=True, slots=True)
class Sheet:
    """What an encoder must know of a copy before its first picture."""

    path: Path
    width: int
    height: int
    #: width/height of a pixel as shown
    sample_aspect: Fraction
    tags: Tags
    times: Times
    #: what players show: title and comment
    title: str
    comment: str


def encode(sheet: Sheet, pictures: Iterable[Planes]) -> None:
    """Write pictures as H.264 in MP4, each at its time; one at a time, whatever the length.

    Raises MediaError where the encoder refuses them, CaseError where the file cannot be written.
    """
    options = {
        "movflags": "+faststart",
        "fflags": "+bitexact",
        "video_track_timescale": str(sheet.times.scale),
        "use_editlist": "0",
    }
    try:
        output = av.open(str(sheet.path), "w", format="mp4", options=options)
    except OSError as error:
        raise CaseError(f"cannot write {sheet.path}: {error.strerror}") from error
    try:
        with output:
            output.metadata.update({"title": sheet.title, "comment": sheet.comment})
            stream = _stream(output, sheet)
            base, scale = stream.codec_context.time_base, Fraction(1, sheet.times.scale)

            def put(packets: list[Any]) -> None:
                for packet in packets:
                    number = packet.pts
                    tick = sheet.times.ticks[number]
                    packet.pts = packet.dts = tick
                    packet.time_base = scale
                    following = sheet.times.ticks[number + 1 : number + 2]
                    packet.duration = following[0] - tick if following else sheet.times.last
                    output.mux_one(packet)

            for number, picture in enumerate(pictures):
                put(stream.encode(_frame(picture, sheet.tags, number, base)))
            put(stream.encode(None))
    except (av.error.FFmpegError, ValueError) as error:
        reason = getattr(error, "errno", None)
        if reason in _FOLDER:
            raise CaseError(f"cannot write {sheet.path.with_suffix('')}: {os.strerror(reason)}") from error
        raise MediaError(f"{sheet.path.with_suffix('').name}: H.264 cannot be written ({error})") from error


def _stream(output: Any, sheet: Sheet) -> Any:
    options = {"preset": PRESET, "crf": str(CRF), "profile": "high", "x264-params": X264}
    stream = output.add_stream("libx264", options=options)
    context: Any = stream.codec_context
    context.width, context.height, context.pix_fmt = sheet.width, sheet.height, "yuv420p"
    context.sample_aspect_ratio = sheet.sample_aspect
    context.color_range = ColorRange.JPEG if sheet.tags.full_range else ColorRange.MPEG
    context.colorspace = sheet.tags.matrix
    context.color_primaries, context.color_trc = sheet.tags.primaries, sheet.tags.transfer
    # the encoder counts pictures; when each is shown is the container's business
    context.time_base = Fraction(1, 25)
    context.framerate = Fraction(25)
    context.thread_count = THREADS
    return stream


def _frame(picture: Planes, tags: Tags, number: int, base: Fraction) -> VideoFrame:
    frame = av.VideoFrame.from_ndarray(picture.buffer.reshape(-1, picture.width), format="yuv420p")
    frame.pts, frame.time_base = number, base
    frame.color_range = ColorRange.JPEG if tags.full_range else ColorRange.MPEG
    frame.colorspace = tags.matrix
    return frame


def read_back(path: Path, times: Times, each: Callable[[int, VideoFrame], object] = lambda *_: None) -> dict[str, Any]:
    """Decode a copy and compare the number and time of its pictures with what was to be written.

    ``each`` is shown every picture with its number. Raises MediaError at any difference.
    """
    base = Fraction(1, times.scale)
    count = keys = 0
    try:
        with av.open(str(path)) as copy:
            stream = copy.streams.video[0]
            if stream.time_base != base:
                raise MediaError(f"{path.stem}: the copy counts {stream.time_base} s a tick, {base} was asked for")
            stream.codec_context.thread_count = THREADS
            for frame in copy.decode(stream):
                if frame.is_corrupt or count >= len(times.ticks) or frame.pts != times.ticks[count]:
                    raise MediaError(
                        f"{path.stem}: picture {count + 1} of the copy does not read back as it was written"
                    )
                keys += bool(frame.key_frame)
                each(count, frame)
                count += 1
            profile = stream.codec_context.profile
    except (av.error.FFmpegError, OSError, IndexError) as error:
        raise MediaError(f"{path.stem}: the copy cannot be read back ({error})") from error
    if count != len(times.ticks):
        raise MediaError(f"{path.stem}: the copy gives back {count} pictures of {len(times.ticks)}")
    return {
        "time_base": f"1/{times.scale}",
        "pictures_compared": count,
        "key_frames": keys,
        "largest_timing_difference_s": float(times.rounding_s),
        "profile": profile,
    }
