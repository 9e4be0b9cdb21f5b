"""Files of an export: written under a temporary name, hashed as they read back, put in place together, then logged."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from vidreview.audit import AuditLog
from vidreview.errors import CaseError, UsageError
from vidreview.index import refuse_overlap
from vidreview.index.query import Reader
from vidreview.index.rows import file_name

_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Written:
    """A file that was written and waits to be put in place."""

    temporary: Path
    final: Path
    sha256: str
    size: int


class Outputs:
    """The files of one export; a context manager: what was not published when it ends is removed."""

    def __init__(self, folder: Path) -> None:
        """``folder`` gets the files; it is made."""
        self.folder = folder
        self.written: list[Written] = []
        self._parts: list[Path] = []
        #: holds the first of the files, so that no second export of the same kind writes here too
        self._held: int | None = None
        self._published = False

    def __enter__(self) -> Outputs:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        published = {one.temporary for one in self.written} if self._published else set()
        for part in self._parts:
            if part not in published:  # then the name may be another export's already
                with contextlib.suppress(OSError):
                    part.unlink(missing_ok=True)
        if self._held is not None:
            os.close(self._held)
            self._held = None

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """A file of this name, below the folder, to be written whole; raises CaseError when the disk refuses it."""
        with self.path(name) as temporary, _errors(self.folder / name):
            # a link that lies there would be written through
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
            with io.BufferedWriter(io.FileIO(handle, "wb"), _PIECE) as file:
                yield file

    @contextlib.contextmanager
    def path(self, name: str) -> Iterator[Path]:
        """The temporary path of a file of this name, for a library that writes files itself."""
        final = self.folder / name
        with _errors(final):
            final.parent.mkdir(parents=True, exist_ok=True)
            temporary = final.with_name(f"{final.name}.part")
            if self._held is None:
                self._held = _claim(temporary)
            else:
                temporary.unlink(missing_ok=True)
        self._parts.append(temporary)
        yield temporary
        with _errors(final):
            self.written.append(_on_disk(temporary, final))

    def publish(self, log: AuditLog, case: Path, command: str, head: str, **parameters: object) -> None:
        """Put all files in place and enter each in the audit log.

        Those in the case folder are derived files (rule A3), whose parent is the case as of ``head``, the hash of the
        last entry when it was read; files elsewhere get an entry that they were handed over. An interruption while this
        goes on is raised at its end: a few renames, and one write to the log.
        """
        interrupted: KeyboardInterrupt | None = None
        while True:
            try:
                for one in self.written:
                    if not self._published and one.temporary.exists():
                        with _errors(one.final):
                            one.temporary.replace(one.final)
                self._published = True
                log.append_many(self._entry(one, case, command, head, parameters) for one in self.written)
                break
            except KeyboardInterrupt as error:
                if interrupted is not None:
                    raise
                interrupted = error
        if interrupted is not None:
            raise interrupted

    @staticmethod
    def _entry(
        one: Written, case: Path, command: str, head: str, parameters: dict[str, object]
    ) -> tuple[str, dict[str, object]]:
        facts: dict[str, object] = {
            "sha256": one.sha256,
            "parent": f"the case at the entry with hash {head}",
            "parent_sha256": head,
            "command": command,
            "parameters": parameters | {"size": one.size},
        }
        inside = _below(one.final, case / "export")
        if inside is None:
            return "exported", {"path": os.path.abspath(one.final)} | facts  # noqa: PTH100 - Path.absolute keeps '..'
        return "derived", {"path": f"export/{inside}"} | facts


def _claim(temporary: Path) -> int:
    """A temporary file, empty and held by this process until it is closed; raises CaseError when another holds it."""
    while True:
        if temporary.is_symlink():
            temporary.unlink()
        handle = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(handle), temporary.stat()):
                    os.ftruncate(handle, 0)
                    return handle
        except BlockingIOError as error:
            os.close(handle)
            raise CaseError(f"another export is writing {temporary}; wait for it to end") from error
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)  # it was put in place in between


def _on_disk(temporary: Path, final: Path) -> Written:
    """Wait until the disk has the file; what was written is hashed as it reads back."""
    digest, size = hashlib.sha256(), 0
    handle = os.open(temporary, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
        while piece := os.read(handle, _PIECE):
            digest.update(piece)
            size += len(piece)
    finally:
        os.close(handle)
    return Written(temporary, final, digest.hexdigest(), size)


@contextlib.contextmanager
def _errors(final: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CaseError(f"cannot write {final}: {error.strerror or error}; nothing of this export was kept") from error


def _below(path: Path, folder: Path) -> str | None:
    """``path`` relative to ``folder``, links followed; None when it does not lie below it."""
    real, top = Path(os.path.realpath(path)), Path(os.path.realpath(folder))
    return real.relative_to(top).as_posix() if top in real.parents else None


def check_output(reader: Reader, log: AuditLog, output: Path, folder: bool) -> None:
    """Refuse to write to a place where evidence or the case's own files lie (rule A1).

    ``folder`` says that ``output`` is a folder of files. Raises UsageError, or CaseRefusedError for evidence.
    """
    if _below(output, reader.folder) is not None and _below(output, reader.folder / "export") is None:
        raise UsageError(f"{output} lies in the case folder, beside its own files; there, exports go into export/")
    if os.path.realpath(output) == os.path.realpath(reader.folder):
        raise UsageError(f"{output} is the case folder; name another --output")
    if not folder and output.is_dir():
        raise UsageError(f"{output} is a folder; name a file")
    if folder and output.exists() and not output.is_dir():
        raise UsageError(f"{output} is a file; name a folder")
    sources = {Path(file_name(path, raw)) for path, raw in reader.select("SELECT path, path_raw FROM exhibits")}
    for entry in log.entries():
        if entry["action"] == "scan-begins" and isinstance(named := entry["facts"].get("sources"), list):
            sources |= {Path(one) for one in named if isinstance(one, str) and one}
    for source in sorted(sources):
        try:
            refuse_overlap(output, [source])
        except CaseError as error:
            raise type(error)(f"{output} lies in the evidence {source}, or over it; name another --output") from error
