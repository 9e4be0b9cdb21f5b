"""Derived files against the manifest in the audit log (rule A3)."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from vidreview.errors import EvidenceError
from vidreview.evidence import hash_file
from vidreview.verify.logged import Said
from vidreview.verify.verdict import Observer, Verdict

#: where derived files lie; every file in them has an entry
FOLDERS = ("stills", "clips", "report", "export")


def size_of(case: Path, manifest: Mapping[str, Said]) -> int:
    """Bytes of the files that will be hashed."""
    return sum(status.st_size for path in manifest if (status := _status(case / path)) is not None)


def check_derived(case: Path, manifest: Mapping[str, Said], verdict: Verdict, observer: Observer) -> None:
    """Compare each file with its entry, and look for files without one."""
    for path, said in manifest.items():
        observer.file(path)
        if fault := _fault(case, path, said, verdict, observer):
            verdict.fault("derived", path, fault)
    for path in _files(case, verdict):
        if path in manifest:
            continue
        if path.endswith(".part"):
            verdict.note("derived", path, "left over by a kill while a file was written; it may be removed")
        else:
            verdict.fault(
                "derived",
                path,
                "has no entry in the audit log: it was added, or a kill came before its entry; "
                "move it away and derive it again",
            )


def _fault(case: Path, path: str, said: Said, verdict: Verdict, observer: Observer) -> str | None:
    """What is wrong with one file of the manifest."""
    entry = f"entry {said.seq} of the audit log"
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts:
        return f"{entry} names a derived file outside the case folder; the entry is not one of vidreview's"
    file = case / path
    try:
        status = file.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return f"is missing; {entry} says how it was made ({said.text('command')}), derive it again"
    except (OSError, ValueError) as error:
        verdict.skip("derived", path, f"cannot be read: {getattr(error, 'strerror', None) or error}")
        return None
    if not stat.S_ISREG(status.st_mode):
        return f"is no longer a file; {entry} says how it was made ({said.text('command')}), derive it again"
    try:
        found = hash_file(file, observer.progress).value
    except EvidenceError as error:
        verdict.skip("derived", path, str(error).removeprefix(f"{file}: "))
        return None
    verdict.count("derived")
    if found != said.text("sha256"):
        return (
            f"was changed: its SHA-256 is {found}, {entry} has {said.text('sha256')}; keep this copy apart and derive "
            f"it again ({said.text('command')})"
        )
    return None


def _files(case: Path, verdict: Verdict) -> Iterator[str]:
    """All that lies in the folders of derived files and is no folder, relative to the case."""
    for top in FOLDERS:
        folder = case / top
        if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
            yield top
            continue
        for place, folders, files in os.walk(
            folder, onerror=lambda error: _unlisted(case, error, verdict), followlinks=False
        ):
            folders.sort()
            links = [name for name in folders if (Path(place) / name).is_symlink()]
            for name in sorted([*files, *links]):
                yield (Path(place) / name).relative_to(case).as_posix()


def _unlisted(case: Path, error: OSError, verdict: Verdict) -> None:
    if not isinstance(error, FileNotFoundError):
        verdict.skip("derived", os.path.relpath(error.filename, case), f"cannot be listed: {error.strerror}")


def _status(file: Path) -> os.stat_result | None:
    try:
        return file.lstat()
    except (OSError, ValueError):
        return None
