"""Derived files against the manifest in the audit log (rule A3), and what a report's own manifest lists through it."""

from __future__ import annotations

import hashlib
import json
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
#: has one entry for all of its files: they are listed, each with its hash, in a file that the entry has the hash of
LIST = "report/report.json"
#: left by a report that was killed or interrupted
_UNFINISHED = ("report.part", "report.old")
#: files without an entry that are named one by one; more in one folder are told together
_NAMED = 3


def listed(case: Path, manifest: Mapping[str, Said]) -> dict[str, Said]:
    """The manifest with the files that the report's own one lists, where that is as it was recorded."""
    said = manifest.get(LIST)
    if said is None or not _regular(case / LIST):
        return dict(manifest)
    try:
        data = (case / LIST).read_bytes()
        if hashlib.sha256(data).hexdigest() != said.text("sha256"):
            return dict(manifest)
        files = json.loads(data)["files"].items()
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return dict(manifest)
    folder, command = PurePosixPath(LIST).parent, said.text("command")
    more = {
        (folder / str(path)).as_posix(): Said(said.seq, said.action, {"sha256": sha256, "command": command})
        for path, sha256 in files
    }
    return more | dict(manifest)


def size_of(case: Path, manifest: Mapping[str, Said]) -> int:
    """Bytes of the files that will be hashed."""
    return sum(status.st_size for path in manifest if (status := _status(case / path)) is not None)


def check_derived(case: Path, manifest: Mapping[str, Said], verdict: Verdict, observer: Observer) -> None:
    """Compare each file with its entry, and look for files without one; ``manifest`` as ``listed`` gives it."""
    faulty = set()
    for path, said in manifest.items():
        observer.file(path)
        if fault := _fault(case, path, said, verdict, observer):
            faulty.add(path)
            verdict.fault("derived", path, fault)
    for top in FOLDERS:
        added = [path for path in _files(case, top, verdict) if path not in manifest]
        if added and top == PurePosixPath(LIST).parts[0] and LIST in faulty:
            why = f"cannot be compared, {len(added)} files of it, since {LIST} is not as recorded"
            verdict.skip("derived", top, why)
            continue
        _check_added(added, verdict)
    for name in _UNFINISHED:
        if _status(case / name) is not None:
            verdict.note("derived", name, "left by a report that was interrupted; 'vidreview report' goes on from it")


def _check_added(added: list[str], verdict: Verdict) -> None:
    """Files without an entry."""
    without = [path for path in added if not path.endswith(".part")]
    for path in added:
        if path.endswith(".part"):
            verdict.note("derived", path, "left over by a kill while a file was written; it may be removed")
    for path in without[:_NAMED] if len(without) > _NAMED + 1 else without:
        verdict.fault(
            "derived",
            path,
            "has no entry in the audit log: it was added, or a kill came before its entry; "
            "move it away and derive it again",
        )
    if len(without) > _NAMED + 1:
        top = without[0].partition("/")[0]
        why = f"{len(without) - _NAMED} more files in it have no entry in the audit log either"
        verdict.fault("derived", top, why)


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
            f"was changed, or made again by a command that was killed before its entry: its SHA-256 is {found}, "
            f"{entry} has {said.text('sha256')}; keep this copy apart and derive it again ({said.text('command')})"
        )
    return None


def _files(case: Path, top: str, verdict: Verdict) -> Iterator[str]:
    """All that lies in a folder of derived files and is no folder, relative to the case."""
    folder = case / top
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        yield top
        return
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


def _regular(file: Path) -> bool:
    status = _status(file)
    return status is not None and stat.S_ISREG(status.st_mode)
