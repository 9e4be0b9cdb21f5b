"""What must hold before a case is written: it lies apart from the evidence, and nobody else writes to it."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterable
from pathlib import Path

from vidreview.errors import CaseError, CaseRefusedError


def refuse_overlap(case_dir: Path, sources: Iterable[Path]) -> None:
    """Refuse a case folder in a source folder, or a source in the case folder (rule A1).

    Links are followed and existing folders are compared by identity, so that a bind mount or another spelling does
    not hide an overlap. Touches nothing. Raises CaseRefusedError.
    """
    case_real = Path(os.path.realpath(case_dir))
    for source in sources:
        source_real = Path(os.path.realpath(source))
        if _inside(case_real, source_real):
            raise CaseRefusedError(
                f"the case folder {case_dir} lies inside the evidence {source}; name a --case folder outside of it"
            )
        if _inside(source_real, case_real):
            raise CaseRefusedError(
                f"the evidence {source} lies inside the case folder {case_dir}; name a --case folder apart from it"
            )


def beside(case_dir: Path, sources: Iterable[Path]) -> Path | None:
    """The first source that is a file in the folder in which the case would be made; None when there is none.

    That is allowed, since a person named both, but a folder of evidence is better left alone.
    """
    parent = _made_in(Path(os.path.realpath(case_dir)))
    for source in sources:
        real = Path(os.path.realpath(source))
        if os.path.isfile(real) and _same(parent, real.parent):  # noqa: PTH113 - Path.is_file raises where it may not look
            return source
    return None


def _made_in(path: Path) -> Path:
    """The folder that gets a new entry when ``path`` and what is missing above it are made."""
    while not os.path.exists(path.parent):  # noqa: PTH110 - Path.exists raises where it may not look
        path = path.parent
    return path.parent


def _same(one: Path, other: Path) -> bool:
    with contextlib.suppress(OSError):
        return os.path.samestat(one.stat(), other.stat())
    return False


def _inside(inner: Path, outer: Path) -> bool:
    """True when ``inner`` is ``outer`` or lies below it; both resolved, either may not exist yet."""
    if inner == outer or outer in inner.parents:
        return True
    with contextlib.suppress(OSError):
        wanted = outer.stat()
        for ancestor in (inner, *inner.parents):
            with contextlib.suppress(OSError):
                if os.path.samestat(ancestor.stat(), wanted):
                    return True
    return False


class WriterLock:
    """Held by the one process that writes a case; the system lets go of it when that process dies."""

    def __init__(self, folder: Path) -> None:
        """Take the lock of ``folder``; raises CaseError when another process has it or it cannot be made."""
        self._path = folder / "case.lock"
        try:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise CaseError(f"cannot write to the case folder {folder}: {error.strerror}") from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(self._descriptor, 32, 0).decode("ascii", "replace").strip()
            os.close(self._descriptor)
            who = f" (process {holder})" if holder else ""
            raise CaseError(
                f"another vidreview command is writing to the case {folder}{who}; wait for it to end or name another "
                "--case"
            ) from error
        with contextlib.suppress(OSError):  # the number is for the message only; a full disk shows up soon enough
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let go; the file stays, since removing it would let two writers hold different files."""
        if self._descriptor >= 0:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = -1
