"""The folder of a report: made beside the old one, then put in its place; nobody else's files are touched."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from vidreview.errors import CaseError

NAME: Final = "report"
MANIFEST: Final = "report.json"
#: while a report is made, and while it takes the place of the one before
PART: Final = "report.part"
OLD: Final = "report.old"
#: one line for each event that is done, so that a killed report goes on; not part of the finished one
JOURNAL: Final = "made.jsonl"
FOLDERS: Final = ("data", "view", "evidence")
#: paths within a report; never made from what evidence is called
_PATH: Final = re.compile(r"(?:[A-Za-z0-9_-][A-Za-z0-9_.-]*/)*[A-Za-z0-9_-][A-Za-z0-9_.-]*")
#: a manifest of a hundred thousand events is smaller, bytes
_LARGEST: Final = 512 << 20


@dataclass(frozen=True, slots=True)
class Earlier:
    """Media that was made before: of the report that is there, or of one that was not finished."""

    folder: Path
    #: identity → ``{"media", "files", "missing"}``
    made: Mapping[str, dict[str, Any]] = field(default_factory=dict)

    def take(self, identity: str, folder: Path) -> dict[str, Any] | None:
        """The entry, its files now in ``folder`` too; None when there is none or a file is not as it was written."""
        entry = self.made.get(identity)
        if entry is None:
            return None
        for path, sha256 in entry["files"].items():
            if not safe_path(path) or hash_regular(self.folder / path) != sha256:
                return None
        if self.folder != folder:
            for path in entry["files"]:
                share(self.folder / path, folder / path)
        return entry


def safe_path(path: object) -> bool:
    """Whether a path from a file stays within the report."""
    return isinstance(path, str) and _PATH.fullmatch(path) is not None


def hash_regular(path: Path) -> str | None:
    """SHA-256 of a plain file, None where there is none; a link is not followed."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    with open(handle, "rb") as file:  # noqa: PTH123 - a descriptor
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return None
        return hashlib.file_digest(file, "sha256").hexdigest()


def share(source: Path, target: Path) -> None:
    """Give a finished file another name; copy it where the file system has no second names. Raises CaseError."""
    try:
        target.unlink(missing_ok=True)
        try:
            os.link(source, target, follow_symlinks=False)
        except OSError:
            shutil.copyfile(source, target, follow_symlinks=False)
    except OSError as error:
        raise CaseError(f"cannot write {target}: {error.strerror}") from error


class Folder:
    """The report's folder of a case, while a new report is made."""

    def __init__(self, case: Path) -> None:
        """Look at what is there; raises CaseError when it holds what vidreview did not write."""
        self.case = case
        self._handle: int | None = None
        self.final, self.part, self.old = case / NAME, case / PART, case / OLD
        for path in (self.final, self.part, self.old):
            if path.is_symlink() or (path.exists() and not path.is_dir()):
                raise CaseError(f"{path} is a link or a file, not a folder; move it away, then make the report again")
        if self.old.is_dir() and not self.final.exists():
            self._rename(self.old, self.final)  # a kill came between taking the old one away and putting the new one

    def begin(self, recorded: str | None) -> list[Earlier]:
        """Make the folder of the new report, or go on with an unfinished one; what of earlier ones may be used again.

        ``recorded`` is the SHA-256 that the audit log has of the present report's manifest.
        """
        earlier = []
        if recorded is not None and hash_regular(self.final / MANIFEST) == recorded:
            earlier.append(Earlier(self.final, _entries(self._manifest().get("media"))))
        self.check_foreign()
        try:
            for name in FOLDERS:
                inner = self.part / name
                if inner.is_symlink():
                    raise CaseError(f"{inner} is a link, not a folder; remove {self.part}, then make the report again")
                inner.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CaseError(f"cannot make {self.part}: {error.strerror}") from error
        self._lock()
        return [Earlier(self.part, self._journal()), *earlier]

    def _lock(self) -> None:
        """Keep others out until this process ends or the report is finished; raises CaseError."""
        self._handle = os.open(self.part, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self.close()
            raise CaseError(
                f"another 'vidreview report' is writing to the case {self.case}; wait for it to end"
            ) from error

    def close(self) -> None:
        """Let others make a report; harmless when done twice."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def note(self, identity: str, entry: dict[str, Any]) -> None:
        """Remember that the media of this identity is done."""
        line = json.dumps({"identity": identity} | entry, separators=(",", ":")) + "\n"
        try:
            with (self.part / JOURNAL).open("a", encoding="ascii") as file:
                file.write(line)
        except OSError as error:
            raise CaseError(f"cannot write {self.part / JOURNAL}: {error.strerror}") from error

    def write(self, path: str, data: bytes) -> str:
        """Write a file of the report; its SHA-256. Raises CaseError."""
        if not safe_path(path):
            raise CaseError(f"{path!r} is no path of a report")
        target = self.part / path
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)  # it may be another name of a file of the old report
            target.write_bytes(data)
        except OSError as error:
            raise CaseError(f"cannot write {target}: {error.strerror}") from error
        return hashlib.sha256(data).hexdigest()

    def finish(self, files: Mapping[str, str]) -> None:
        """Remove what is left of other attempts, and put the new report in the place of the old one."""
        keep = {*files, MANIFEST}
        for path in list(walk(self.part)):
            if path not in keep:
                (self.part / path).unlink()
        for place, _, _ in os.walk(self.part, topdown=False):
            if not os.listdir(place):  # noqa: PTH208 - an empty folder has no place in the manifest
                Path(place).rmdir()
        os.sync()  # once for all, instead of waiting for the disk with each of tens of thousands of files
        self.check_foreign()
        if self.old.exists():
            shutil.rmtree(self.old)
        if self.final.exists():
            self._rename(self.final, self.old)
        self._rename(self.part, self.final)
        if self.old.exists():
            shutil.rmtree(self.old)

    def check_foreign(self) -> None:
        """Raise CaseError when the present report's folder holds what is not the report's: it would be lost.

        What is the report's is what its manifest lists. Whether that is the one in the audit log does not matter here:
        a kill may have come before its entry.
        """
        files = self._manifest().get("files")
        known = {MANIFEST, *files} if isinstance(files, dict) else set()
        foreign = [path for path in walk(self.final) if path not in known]
        if foreign:
            names = ", ".join(foreign[:3]) + (f" and {len(foreign) - 3} more" if len(foreign) > 3 else "")
            why = f"which its {MANIFEST} does not list" if known else f"and no {MANIFEST} of a report"
            raise CaseError(
                f"{self.final} holds {names}, {why}: a new report would remove it; move it away, or the whole folder, "
                "then make the report again"
            )

    def _manifest(self) -> dict[str, Any]:
        """The manifest of the present report, empty where it is none."""
        path = self.final / MANIFEST
        try:
            if hash_regular(path) is None or path.stat().st_size > _LARGEST:
                return {}
            document = json.loads(path.read_bytes())
        except (OSError, ValueError, RecursionError):
            return {}
        return document if isinstance(document, dict) and document.get("kind") == "report" else {}

    def _journal(self) -> dict[str, dict[str, Any]]:
        """What an unfinished report had made; its files are checked before they are used."""
        found: dict[str, Any] = {}
        path = self.part / JOURNAL
        if hash_regular(path) is None:
            path.unlink(missing_ok=True)
            return {}
        for line in path.read_bytes().splitlines():
            try:
                entry = json.loads(line)
                found[str(entry.pop("identity"))] = entry
            except (ValueError, KeyError, AttributeError, RecursionError):
                continue  # the last line, if a kill came while it was written
        if path.read_bytes()[-1:] not in (b"", b"\n"):
            with path.open("ab") as file:
                file.write(b"\n")
        return _entries(found)

    def _rename(self, source: Path, target: Path) -> None:
        try:
            source.rename(target)
        except OSError as error:
            raise CaseError(f"cannot rename {source} to {target.name}: {error.strerror}") from error


def walk(folder: Path) -> Iterator[str]:
    """All that lies below a folder and is no folder, relative to it; links are not followed."""
    for place, folders, files in os.walk(folder, followlinks=False):
        folders.sort()
        links = [name for name in folders if (Path(place) / name).is_symlink()]
        for name in sorted([*files, *links]):
            yield (Path(place) / name).relative_to(folder).as_posix()


def _entries(value: object) -> dict[str, dict[str, Any]]:
    """Entries that have the form of one."""
    if not isinstance(value, dict):
        return {}
    return {
        identity: entry
        for identity, entry in value.items()
        if isinstance(entry, dict)
        and all(isinstance(entry.get(key), dict) for key in ("media", "files"))
        and isinstance(entry.get("missing"), list)
    }
