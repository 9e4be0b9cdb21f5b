"""Open a file of evidence so that nothing about it changes."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from vidreview.errors import EvidenceError


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
