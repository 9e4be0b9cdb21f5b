"""Exhibits as they are now against how they were when they were scanned (rules A1, A2)."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vidreview.errors import EvidenceError
from vidreview.evidence import Exhibit, Found, files_below, identify
from vidreview.reading import evidence_size
from vidreview.verify.verdict import Observer, Verdict


@dataclass(frozen=True, slots=True)
class Recorded:
    """An exhibit as it was identified."""

    name: str
    path: Path
    size: int
    mtime_ns: int
    sha256: str


class Evidence:
    """Where exhibits are looked for; a file is hashed once however many exhibits point to it."""

    def __init__(self, source: Path | None, observer: Observer) -> None:
        """``source`` is a folder to look in first, where the evidence was moved."""
        self.source = source
        self._observer = observer
        self._known: dict[Path, Exhibit | EvidenceError] = {}
        self._by_size: dict[int, list[Path]] | None = None

    def identify(self, path: Path, name: str) -> Exhibit:
        """Hash a file; raises EvidenceError when it cannot be read."""
        if path not in self._known:
            try:
                self._known[path] = identify(Found(path, name), self._observer.progress)
            except EvidenceError as error:
                self._known[path] = error
        known = self._known[path]
        if isinstance(known, EvidenceError):
            raise known
        return known

    def moved(self, wanted: Recorded) -> Path | None:
        """The file in ``source`` that is this exhibit, else the one that bears its name, else None."""
        if self.source is None:
            return None
        named = self.source / wanted.name
        same_size = {*self._sizes(self.source).get(wanted.size, [])}
        if evidence_size(named) == wanted.size:
            same_size.add(named)  # it may be in a disk image
        for path in sorted(same_size, key=lambda path: (path != named, path.name != wanted.path.name, path)):
            try:
                if self.identify(path, wanted.name).digest.value == wanted.sha256:
                    return path
            except EvidenceError:
                continue
        return named if evidence_size(named) is not None else None

    def _sizes(self, source: Path) -> dict[int, list[Path]]:
        if self._by_size is None:
            self._by_size = {}
            for path in files_below(source):
                status = _status(path)
                if isinstance(status, os.stat_result) and stat.S_ISREG(status.st_mode):
                    self._by_size.setdefault(status.st_size, []).append(path)
        return self._by_size


def check_exhibits(exhibits: Sequence[Recorded], evidence: Evidence, verdict: Verdict, observer: Observer) -> None:
    """Hash every exhibit and compare."""
    for one in exhibits:
        observer.file(one.name)
        moved = evidence.moved(one)
        if evidence.source is not None and moved is None and evidence_size(one.path) is not None:
            # whoever checks a copy must learn that it is not whole, though the master is connected too
            reason = f"not found in {evidence.source}, so it was checked where it was scanned, {one.path}"
            verdict.note("exhibit", one.name, reason)
        _check(one, moved or one.path, moved is not None, evidence, verdict)


def _check(one: Recorded, path: Path, moved: bool, evidence: Evidence, verdict: Verdict) -> None:
    where = f"{path}: "
    size = evidence_size(path)
    if size is None:
        _gone(one, path, _status(path), evidence, verdict)
        return
    if size != one.size:
        verdict.count("exhibits")
        verdict.fault(
            "exhibit",
            one.name,
            f"{where}was changed: it has {size} bytes, but had {one.size} when it was scanned; find out what "
            "changed it",
        )
        return
    try:
        now = evidence.identify(path, one.name)
    except EvidenceError as error:
        verdict.skip("exhibit", one.name, f"{where}{str(error).removeprefix(where)}")
        return
    verdict.count("exhibits")
    if now.digest.value != one.sha256:
        verdict.fault(
            "exhibit",
            one.name,
            f"{where}was changed: its SHA-256 is {now.digest}, but was {one.sha256} when it was scanned; find out what "
            "changed it",
        )
    elif now.mtime_ns != one.mtime_ns and moved:
        verdict.note("exhibit", one.name, f"{where}this copy has another modification time than the exhibit had")
    elif now.mtime_ns != one.mtime_ns:
        verdict.fault(
            "exhibit",
            one.name,
            f"{where}its modification time was changed since it was scanned, its content was not; find out what "
            "touched it",
        )


def _gone(one: Recorded, path: Path, error: os.stat_result | OSError, evidence: Evidence, verdict: Verdict) -> None:
    """An exhibit is not where it was: removed, or its drive is not here."""
    if isinstance(error, os.stat_result):
        if stat.S_ISREG(error.st_mode):
            verdict.skip("exhibit", one.name, f"{path}: cannot be read")
            return
        verdict.count("exhibits")
        verdict.fault("exhibit", one.name, f"{path}: is no longer a file; find out what was done to the evidence")
    elif isinstance(error, NotADirectoryError):
        verdict.count("exhibits")
        verdict.fault("exhibit", one.name, f"{path}: is missing from its disk image, or cannot be read in it")
    elif evidence.source is not None:
        reason = f"found neither in {evidence.source} nor at {one.path}; connect its drive or name another --source"
        verdict.skip("exhibit", one.name, reason)
    elif isinstance(error, FileNotFoundError) and one.path.parent.is_dir():
        verdict.fault(
            "exhibit",
            one.name,
            f"{one.path}: is missing, though its folder is there; bring it back, or if this is the place where a drive "
            "was mounted, mount it; if the evidence lies elsewhere now, name its folder with --source",
        )
    else:
        verdict.skip(
            "exhibit",
            one.name,
            f"{one.path}: cannot be reached ({error.strerror}); connect its drive, or name the folder where the "
            "evidence lies now with --source",
        )


def _status(path: Path) -> os.stat_result | OSError:
    try:
        return path.stat()
    except OSError as error:
        return error
    except ValueError as error:  # a path that no file can have
        return OSError(errno.EINVAL, str(error))
