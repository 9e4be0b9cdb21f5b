"""Open a file as media: read-only, by content alone, with no way to reach any other file or the network."""

from __future__ import annotations

import errno
import io
import os
import re
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

import av
import av.container
import av.error
import av.logging

from vidreview.errors import EvidenceError, MediaError
from vidreview.media.extent import absurd_samples
from vidreview.model import Problem
from vidreview.reading import EvidenceFile, open_evidence

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.stream import VideoStream

# FFmpeg's own messages would spill over the examiner's terminal; what matters is turned into Problems
av.logging.set_level(None)


def _names(text: str) -> list[str]:
    return text.split()


#: Demuxers that raise no timestamps of their own: the bare bit stream of one picture after another.
RAW_FORMATS: Final = frozenset(
    _names("av1 avs2 avs3 cavsvideo dirac evc h261 h263 h264 hevc m4v mjpeg mpegvideo mpjpeg obu vc1 vvc")
)

#: The only demuxers that evidence may choose. Play lists (hls, concat, dash, sdp …) are left out: one line of text in a
#: hostile file would make FFmpeg open other files or the network. Pictures and text art are not footage.
FORMATS: Final = (
    *sorted(RAW_FORMATS),
    *_names("aac amr asf avi dhav dv flac flic flv gif gxf hxvs ifv iv8 ivf live_flv lmlm4 luodat lvf lxf"),
    *_names("matroska mov mp3 mp4 mpeg mpegts mtv mvi mxf mxg nc nsv nut nuv ogg pva rm sdr2 smjpeg vivo wav"),
    *_names("webm wtv xmv yuv4mpegpipe"),
)

#: How far into a file footage wrapped in something else is looked for, bytes, and how many starts are tried.
SEARCH_BYTES: Final = 256 << 20
SEARCH_TRIES: Final = 16
#: It is searched in blocks that overlap by the longest start, bytes.
SEARCH_BLOCK: Final = 4 << 20
SEARCH_OVERLAP: Final = 64

#: How known containers begin; each is worth a try wherever it stands inside another file.
_STARTS: Final = re.compile(
    rb"RIFF....AVI LIST|\x1a\x45\xdf\xa3.{1,40}(?:matroska|webm)|\x00\x00\x00.ftyp(?=[ -~]{4})|IMKH"
    rb"|\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c|DHAV[\xf0-\xff]\x00|DAHUA"
    rb"|\x00\x00\x01\xba[\x44-\x7f].{4}[\x01\x03\x05\x07-\xff].{3}[\xf8-\xff]\x00\x00\x01",
    re.DOTALL,
)
_PROGRAMS: Final = (b"MZ", b"\x7fELF")


class _Window:
    """A read-only file object that shows a file from one offset on."""

    def __init__(self, file: io.BufferedReader) -> None:
        self._file = file
        self.read = file.read
        self.tell = file.tell
        self.close = file.close

    def seek(self, position: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place; a negative number, as FFmpeg has it, where there is none."""
        try:
            return self._file.seek(position, whence)
        except (OSError, ValueError, OverflowError):
            # a hostile file sends FFmpeg to places that cannot be: what is raised here, PyAV would print
            return -errno.EINVAL


class Source:
    """An opened container; a context manager that closes it and the file."""

    def __init__(self, path: Path) -> None:
        """Open ``path``; raises EvidenceError when it cannot be read, MediaError when it holds no known container."""
        self.path = path
        self.problems: list[Problem] = []
        #: byte of the file at which the container begins
        self.offset = 0
        self._window: _Window | None = None
        self._file = open_evidence(path)
        try:
            self.size = self._file.size
            self.container = self._open()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Source:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the container and the file; harmless when done twice."""
        container = self.__dict__.pop("container", None)
        if container is not None:
            container.close()
        self._close_window()
        self._file.close()

    def _close_window(self) -> None:
        if self._window is not None:
            self._window.close()
            self._window = None

    @property
    def format(self) -> str:
        """FFmpeg's name for the container."""
        return self.container.format.name

    @property
    def raw(self) -> bool:
        """True for a bare bit stream: whatever timestamps come out, the file holds none."""
        return self.format in RAW_FORMATS

    def video_streams(self) -> list[VideoStream]:
        """Moving pictures, without cover art."""
        return [s for s in self.container.streams.video if not is_cover(s)]

    def read_at(self, count: int, position: int) -> bytes:
        """Up to ``count`` bytes of the file at ``position``; none where it cannot be read."""
        if position >= self.size:  # by a hostile file's word perhaps beyond what a system call takes
            return b""
        try:
            return self._file.pread(count, position)
        except OSError:
            return b""

    def byte(self, packet: Packet[Any]) -> int | None:
        """Where in the file a packet lies, None where the container does not tell."""
        position: int | None = packet.pos
        return None if position is None or position < 0 else self.offset + position

    def _open(self) -> av.container.InputContainer:
        if self.size == 0:
            raise MediaError(f"{self.path}: the file is empty (0 bytes)")
        try:
            head = self._file.pread(4096, 0)
        except OSError as error:
            raise EvidenceError(f"{self.path}: cannot be read: {error.strerror or error}") from error
        failure: Exception | None = None
        try:
            container = self._demuxer(0)
        except (av.error.FFmpegError, OSError, ValueError) as error:
            failure = error
        else:
            if container.format.name not in RAW_FORMATS or _begins_raw(head):
                return container
            # FFmpeg finds pictures in anything that contains start codes, but without their container they have no time
            found = self._embedded(head)
            if found is not None:
                container.close()
                return found
            if not head.startswith(_PROGRAMS):
                return container
            container.close()
        found = self._embedded(head)
        if found is not None:
            return found
        raise MediaError(f"{self.path}: {_why_not(head, self._file, failure)}")

    def _demuxer(self, offset: int) -> av.container.InputContainer:
        if count := absurd_samples(self.read_at, offset, self.size):
            raise MediaError(
                f"{self.path}: absurd index: {count} pictures, more than the file has bytes; damage or hostile"
            )
        options = {"format_whitelist": ",".join(FORMATS), "protocol_whitelist": "fd"}
        handle = self._file.descriptor
        if not offset and handle is not None:
            # by number, not by name: the name's extension cannot sway FFmpeg, and no name is taken for a protocol
            os.lseek(handle, 0, os.SEEK_SET)
            return av.open("fd:", "r", options=options | {"fd": str(handle)}, metadata_errors="backslashreplace")
        window = _Window(self._file.file(offset))
        try:
            container = av.open(window, "r", options=options, metadata_errors="backslashreplace", buffer_size=1 << 16)
        except BaseException:
            window.close()
            raise
        self._window = window
        return container

    def _embedded(self, head: bytes) -> av.container.InputContainer | None:
        """The first container found inside the file at a later byte, None without one."""
        for offset in _embedded_starts(self._file):
            try:
                container = self._demuxer(offset)
            except (av.error.FFmpegError, OSError, ValueError):
                continue
            if container.format.name not in RAW_FORMATS and any(not is_cover(s) for s in container.streams.video):
                self.offset = offset
                what = "an executable" if head.startswith(_PROGRAMS) else "another file"
                rest = (
                    "; the program was not run and may hold more: needs a specialist"
                    if what[3:] == "executable"
                    else ""
                )
                text = f"{container.format.name} container found at byte {offset} inside {what}{rest}"
                self.problems.append(Problem("wrapped", text, byte=offset))
                return container
            container.close()
            self._close_window()
        return None


def is_cover(stream: VideoStream) -> bool:
    """True for a still picture that is attached to the file, such as cover art."""
    from av.stream import Disposition

    return bool(stream.disposition & (Disposition.attached_pic | Disposition.timed_thumbnails))


def _begins_raw(head: bytes) -> bool:
    """The file begins the way a bare bit stream does: with a start code or a JPEG picture."""
    return head.startswith((b"\x00\x00\x01", b"\x00\x00\x00\x01", b"\xff\xd8\xff", b"\x12\x00\x0a", b"--"))


def _embedded_starts(file: EvidenceFile) -> Iterator[int]:
    """Offsets above 0 at which a known container seems to begin, first ones first."""
    tries = 0
    end = min(file.size, SEARCH_BYTES)
    position = 0
    while position < end:
        try:
            block = file.pread(min(SEARCH_BLOCK, end - position), position)
        except OSError:
            return
        if not block:
            return
        # a start across the end of a block is found in the next one, which overlaps this
        kept = len(block) if position + len(block) >= end else max(len(block) - SEARCH_OVERLAP, 1)
        for match in _STARTS.finditer(block):
            if match.start() >= kept or position + match.start() == 0:
                continue
            yield position + match.start()
            tries += 1
            if tries >= SEARCH_TRIES:
                return
        position += kept


def _why_not(head: bytes, file: EvidenceFile, failure: Exception | None) -> str:
    """One reason, for people, why the file gives no video."""
    if head.startswith(_PROGRAMS):
        return "executable: may be a proprietary player with footage inside; not run, needs a specialist"
    if head[4:8] in (b"ftyp", b"mdat", b"wide", b"free", b"skip") and not _has_box(file, b"moov"):
        return (
            "the index (moov) was never written: recording interrupted or file truncated; a specialist may rebuild it"
        )
    if not any(head):
        return "the file begins with zeros only: never written, or wiped"
    text = sum(32 <= byte < 127 or byte in b"\t\r\n\f" for byte in head)
    if text >= 0.97 * len(head):
        return "plain text, not a video"
    detail = getattr(failure, "strerror", None) or "unknown"
    return f"no known video container or bit stream ({detail}); may be a proprietary format that needs its own player"


def _has_box(file: EvidenceFile, kind: bytes) -> bool:
    """True when an MP4 file has such a box at its top level."""
    position = 0
    for _ in range(10_000):
        header = file.pread(16, position)
        if len(header) < 8:
            return False
        length = int.from_bytes(header[:4], "big")
        if header[4:8] == kind:
            return True
        if length == 1:
            length = int.from_bytes(header[8:16], "big")
        if length < 8 or position + length > file.size:
            return False
        position += length
    return False
