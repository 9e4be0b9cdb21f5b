"""What ties a derived file to its exhibit: the parent's identity, hashes, and writing that is all or nothing."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vidreview.errors import CaseError, EvidenceError, IntegrityError
from vidreview.reading import open_evidence

_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Parent:
    """The exhibit that a file is derived from, as recorded when it was scanned."""

    name: str
    #: where it lies now
    path: Path
    size: int
    sha256: str

    def to_json(self) -> dict[str, Any]:
        """What the record of a derived file says of it."""
        return {"name": self.name, "path": str(self.path), "size": self.size, "sha256": self.sha256}


def check_parent(parent: Parent) -> None:
    """Make sure that the exhibit is still what was scanned.

    Raises EvidenceError when it cannot be read, IntegrityError when its size or SHA-256 differ.
    """
    try:
        with open_evidence(parent.path) as file:
            size = file.size
    except EvidenceError as error:
        reason = str(error).removeprefix(f"{parent.path}: ")
        raise EvidenceError(
            f"{parent.path}: exhibit {parent.name} cannot be read ({reason}); if the evidence lies elsewhere "
            "now, name its folder with --source"
        ) from error
    if size != parent.size:
        raise IntegrityError(
            f"{parent.path}: exhibit {parent.name} has {size} bytes, but had {parent.size} when it was scanned; "
            "nothing is derived from it"
        )
    found = hash_file(parent.path)
    if found != parent.sha256:
        raise IntegrityError(
            f"{parent.path}: exhibit {parent.name} has SHA-256 {found}, but had {parent.sha256} when it was scanned; "
            "nothing is derived from it"
        )


def hash_file(path: Path) -> str:
    """SHA-256 of a file's bytes; raises EvidenceError when it cannot be read."""
    digest = hashlib.sha256()
    try:
        with open_evidence(path) as file:
            position = 0
            while piece := file.pread(_PIECE, position):
                digest.update(piece)
                position += len(piece)
    except OSError as error:
        raise EvidenceError(f"{path}: cannot be read: {error.strerror}") from error
    return digest.hexdigest()


def make_folder(folder: Path) -> None:
    """Make the folder of derived files; raises CaseError when that is refused."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CaseError(f"cannot make the folder {folder}: {error.strerror}") from error


def put_in_place(temporary: Path, final: Path) -> None:
    """Give a finished file its name, once the disk has it; raises CaseError."""
    try:
        handle = os.open(temporary, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
        temporary.replace(final)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise CaseError(f"cannot write {final}: {error.strerror}") from error


def write_bytes(final: Path, data: bytes) -> str:
    """Write a file under a temporary name, then rename it; its SHA-256. Raises CaseError."""
    temporary = final.with_name(final.name + ".part")
    try:
        temporary.write_bytes(data)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise CaseError(f"cannot write {final}: {error.strerror}") from error
    put_in_place(temporary, final)
    return hashlib.sha256(data).hexdigest()


def write_manifest(final: Path, record: dict[str, Any]) -> str:
    """Write a record as JSON for people and programs; its SHA-256. Raises CaseError."""
    return write_bytes(final, (json.dumps(record, indent=1, ensure_ascii=True) + "\n").encode())
