"""Open a file of evidence so that nothing about it changes."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from vidreview.errors import EvidenceError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


def open_readonly(path: Path) -> int:
    """A read-only file descriptor that leaves the access time alone where that is permitted.

    Raises EvidenceError when the file cannot be opened, or is a pipe, socket or device.
    """
    # without O_NONBLOCK, opening a pipe that nobody writes to would wait for ever
    flags = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise EvidenceError(f"{path}: not a regular file")
        try:
            # refused for files of another owner; then the access time follows the mount's own rule
            return os.open(path, flags | getattr(os, "O_NOATIME", 0))
        except PermissionError:
            return os.open(path, flags)
    except OSError as error:
        raise EvidenceError(f"{path}: cannot be opened: {error.strerror or error}") from error


class ReadAt(io.RawIOBase):
    """A seekable read-only file object over a function that reads at an offset, seen from byte ``start`` on.

    It keeps its own position, so several of them on one file do not disturb each other, in threads or after a fork.
    """

    def __init__(self, pread: Callable[[int, int], bytes], size: int, start: int = 0) -> None:
        """``pread(count, offset)`` gives up to ``count`` bytes; ``size`` is that of the whole, from byte 0 on."""
        super().__init__()
        self._pread = pread
        self._start = start
        self._size = max(size - start, 0)
        self._position = 0

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Fill ``buffer`` from the current position on; the number of bytes, 0 at the end."""
        view = memoryview(buffer).cast("B")
        wanted = min(len(view), self._size - self._position)
        if wanted <= 0:
            return 0
        data = self._pread(wanted, self._start + self._position)
        view[: len(data)] = data
        self._position += len(data)
        return len(data)

    def seek(self, position: int, whence: int = os.SEEK_SET) -> int:
        """Move; the new position."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        if base + position < 0:
            raise ValueError("position before the start of the file")
        self._position = base + position
        return self._position

    def tell(self) -> int:
        """The current position."""
        return self._position

    # what libewf asks of a file object besides
    def get_offset(self) -> int:
        """The current position."""
        return self._position

    def get_size(self) -> int:
        """Bytes from the start on."""
        return self._size
