"""The one way to read evidence: an ordinary file, or a file inside a disk image, by the same kind of path."""

from __future__ import annotations

import errno
import io
import os
import stat
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Final

from vidreview.errors import EvidenceError
from vidreview.readonly import ReadAt, open_readonly

if TYPE_CHECKING:
    from vidreview.images.disk import DiskImage

#: Bytes that a file object reads ahead: FFmpeg asks for less at a time.
AHEAD: Final = 1 << 18
#: Disk images kept open in this process.
IMAGES: Final = 4

_images: OrderedDict[tuple[str, int, int, int, int], DiskImage] = OrderedDict()
_images_lock = Lock()


class EvidenceFile:
    """An opened file of evidence, read-only; a context manager. Reads at an offset are safe from several threads."""

    def __init__(
        self,
        path: Path,
        size: int,
        mtime_ns: int,
        descriptor: int | None,
        pread: Callable[[int, int], bytes],
        state: Callable[[], object],
    ) -> None:
        """Made by ``open_evidence``."""
        self.path = path
        #: bytes
        self.size = size
        #: modification time, nanoseconds since the epoch; inside an image what its file system records
        self.mtime_ns = mtime_ns
        #: what the operating system knows it by; None inside an image
        self.descriptor = descriptor
        self._pread = pread
        self._state = state

    def __enter__(self) -> EvidenceFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def pread(self, count: int, offset: int) -> bytes:
        """Up to ``count`` bytes from ``offset`` on, fewer only at the end of the file; raises OSError."""
        return self._pread(count, offset)

    def file(self, offset: int = 0) -> io.BufferedReader:
        """A seekable binary file object that shows the file from ``offset`` on and reads ahead; not to outlive this."""
        return io.BufferedReader(ReadAt(self.pread, self.size, offset), AHEAD)

    def state(self) -> object:
        """Something that differs once the file, or the image that it is in, has been written to."""
        return self._state()

    def close(self) -> None:
        """Close it; harmless when done twice."""
        # the number of a closed descriptor may soon be another file's
        self._pread = _closed
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None


def _closed(count: int, offset: int) -> bytes:
    raise ValueError(f"{count} bytes at {offset} wanted of a file that was closed")


def open_evidence(path: Path) -> EvidenceFile:
    """Open a file, or the file inside a disk image that a path such as ``disk.E01/p1/DCIM/a.mp4`` names.

    Nothing is written and nothing is mounted. Raises EvidenceError with path and reason.
    """
    inner = _split(path)
    if inner is not None:
        return _open_inner(path, *inner)
    handle = open_readonly(path)
    status = os.fstat(handle)

    def pread(count: int, offset: int) -> bytes:
        return os.pread(handle, count, offset)

    def state() -> object:
        now = os.fstat(handle)
        return now.st_size, now.st_mtime_ns

    return EvidenceFile(path, status.st_size, status.st_mtime_ns, handle, pread, state)


def is_inside(path: Path) -> bool:
    """True for the path of a file inside a disk image."""
    return _split(path) is not None


def evidence_size(path: Path) -> int | None:
    """Bytes of the file that a path names, in a disk image or not; None when there is no such file."""
    try:
        if _split(path) is None:
            status = path.stat()
            return status.st_size if stat.S_ISREG(status.st_mode) else None
        with open_evidence(path) as file:
            return file.size
    except (OSError, ValueError, EvidenceError):  # ValueError: a path that no file can have
        return None


def _split(path: Path) -> tuple[Path, tuple[str, ...]] | None:
    """The file that a path treats as a folder and the rest of the path; None for a path that does not."""
    try:
        path.stat()
    except OSError as error:
        # the path inside may be longer than the system allows for one of its own
        if error.errno not in (errno.ENOTDIR, errno.ENAMETOOLONG):
            return None
    else:
        return None
    for parent in path.parents:
        try:
            if stat.S_ISREG(parent.stat().st_mode):
                return parent, path.parts[len(parent.parts) :]
        except OSError:
            continue
    return None


def _open_inner(path: Path, image_path: Path, parts: tuple[str, ...]) -> EvidenceFile:
    image = _image(image_path)
    volume, node = image.find(parts)
    return EvidenceFile(path, node.size, node.mtime_ns, None, image.reader(volume, node), image.state)


def _image(path: Path) -> DiskImage:
    """An opened image, kept for the next file from it."""
    from vidreview.images.disk import DiskImage

    status = path.stat()
    key = (os.path.realpath(path), status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
    with _images_lock:
        image = _images.get(key)
        if image is None:
            image = DiskImage(path)
            _images[key] = image
        _images.move_to_end(key)
        while len(_images) > IMAGES:
            _images.popitem(last=False)
    return image
