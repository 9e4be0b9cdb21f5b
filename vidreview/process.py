"""What every process that vidreview starts for a hostile file needs: it finds the program, and does not outlive it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from pathlib import Path


def package_path() -> str:
    """A PYTHONPATH by which another process finds what this one did, and nothing in the folder it is started in."""
    own = str(Path(__file__).resolve().parent.parent)
    return os.pathsep.join([own, *(part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part)])


def die_with_parent() -> None:
    """Ask the system to end this process when the one that started it is gone, however that came about."""
    parent = os.getppid()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:
        sys.exit(1)
