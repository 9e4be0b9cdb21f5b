"""The append-only log of a case: each entry holds the hash of the one before (rule A5)."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from vidreview.errors import CaseError, IntegrityError

#: what the first entry names as the one before it
FIRST: Final = "0" * 64

#: the action of an entry that stands for bytes which a kill left half written
TORN: Final = "torn-line"

#: how far back from the end the last entry is looked for, bytes, before the whole file is read
_TAIL: Final = 1 << 16


def _utc() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


class AuditLog:
    """``audit.jsonl``: one entry a line, ``{seq, utc, monotonic_ns, action, facts, previous, hash}``.

    ``hash`` is the SHA-256 of the entry without it, as JSON with sorted keys, no spaces, ASCII only. A line that a
    kill left unfinished stays where it is; the next entry has the action ``torn-line`` and that line's SHA-256, and
    the chain goes on from the entry before it.
    """

    def __init__(
        self, path: Path, clock: Callable[[], str] = _utc, monotonic_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        """Nothing is made before the first ``append``."""
        self.path = path
        self._clock = clock
        self._monotonic_ns = monotonic_ns

    def append(self, action: str, **facts: Any) -> dict[str, Any]:
        """Add one entry and wait until the disk has it; the entry. Raises CaseError when it cannot be written."""
        try:
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise CaseError(f"cannot write the audit log {self.path}: {error.strerror}") from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            last, rest = _last_entry(handle, self.path)
            # a line break closes the unfinished line and leaves its bytes as they are
            lead = b"\n" if rest else b""
            if rest and _parse(rest) is not None:
                last = _parse(rest)  # all of it but the line break was written
            elif rest:
                what = {"bytes": len(rest), "sha256": hashlib.sha256(rest).hexdigest()}
                last, lead = self._write(handle, last, TORN, what, lead), b""
            return self._write(handle, last, action, facts, lead)
        except OSError as error:
            raise CaseError(f"cannot write the audit log {self.path}: {error.strerror}") from error
        finally:
            os.close(handle)

    def derived(
        self, path: str, sha256: str, parent: str, parent_sha256: str, command: str, **parameters: Any
    ) -> dict[str, Any]:
        """Add the manifest's entry of a derived file (rule A3); ``path`` is relative to the case folder."""
        return self.append(
            "derived",
            path=path,
            sha256=sha256,
            parent=parent,
            parent_sha256=parent_sha256,
            command=command,
            parameters=parameters,
        )

    def entries(self) -> Iterator[dict[str, Any]]:
        """The entries in the order of the file; torn and unreadable lines are passed over. No file, no entries."""
        for _, _, entry in self._lines():
            if entry is not None:
                yield entry

    def manifest(self) -> dict[str, dict[str, Any]]:
        """Derived files: relative path → the facts of its latest entry."""
        return {entry["facts"]["path"]: entry["facts"] for entry in self.entries() if entry["action"] == "derived"}

    def head(self) -> str:
        """The hash of the last entry: quoted elsewhere, it shows later that no entry was cut off the end."""
        hashed = FIRST
        for entry in self.entries():
            hashed = str(entry["hash"])
        return hashed

    def check_chain(self, head: str | None = None) -> list[str]:
        """What is wrong with the log, one line each; empty when nothing is.

        Finds entries that were removed, edited, added or reordered. Entries cut off the end leave a sound chain: they
        are found when ``head``, the hash quoted at some earlier time, is given and missing.
        """
        faults: list[str] = []
        previous, expected = FIRST, 1
        torn: tuple[int, str] | None = None
        hashes = {FIRST}
        for number, line, entry in self._lines():
            if entry is None:
                if torn is not None:
                    faults.append(f"line {torn[0]} is not an entry, and no torn-line entry follows it")
                torn = (number, hashlib.sha256(line).hexdigest())
                continue
            if torn is not None and (entry["action"] != TORN or entry["facts"].get("sha256") != torn[1]):
                faults.append(f"line {torn[0]} is not an entry, and the entry after it does not account for it")
            elif torn is None and entry["action"] == TORN:
                faults.append(f"line {number} stands for a torn line that is not there")
            torn = None
            if _hash(entry) != entry["hash"]:
                faults.append(f"line {number} (entry {entry['seq']}) was altered: its hash does not fit")
            if entry["previous"] != previous:
                faults.append(
                    f"line {number} (entry {entry['seq']}) does not follow the entry before it: "
                    "entries were removed, added, altered or reordered"
                )
            if entry["seq"] != expected:
                faults.append(f"line {number} is entry {entry['seq']}, where entry {expected} should be")
            previous, expected = str(entry["hash"]), int(entry["seq"]) + 1
            hashes.add(previous)
        if torn is not None:
            faults.append(
                f"line {torn[0]}, the last one, is torn: writing was interrupted; the next entry will note it"
            )
        if head is not None and head not in hashes:
            faults.append(f"the entry with hash {head} is missing: entries were cut off the end or replaced")
        return faults

    def _lines(self) -> Iterator[tuple[int, bytes, dict[str, Any] | None]]:
        try:
            with self.path.open("rb") as file:
                for number, line in enumerate(file, 1):
                    text = line.removesuffix(b"\n")
                    yield number, text, _parse(text)
        except FileNotFoundError:
            return
        except OSError as error:
            raise CaseError(f"cannot read the audit log {self.path}: {error.strerror}") from error

    def _write(
        self, handle: int, last: dict[str, Any] | None, action: str, facts: dict[str, Any], lead: bytes = b""
    ) -> dict[str, Any]:
        entry: dict[str, Any] = {
            "seq": 1 if last is None else int(last["seq"]) + 1,
            "utc": self._clock(),
            "monotonic_ns": self._monotonic_ns(),
            "action": action,
            "facts": facts,
            "previous": FIRST if last is None else last["hash"],
        }
        # hashed as it will be read back: tuples are lists in JSON
        entry = json.loads(_canonical(entry))
        entry["hash"] = _hash(entry)
        left = lead + _canonical(entry).encode() + b"\n"
        while left:
            left = left[os.write(handle, left) :]
        os.fsync(handle)
        return entry


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=str)


def _hash(entry: dict[str, Any]) -> str:
    return hashlib.sha256(_canonical({k: v for k, v in entry.items() if k != "hash"}).encode()).hexdigest()


def _parse(line: bytes) -> dict[str, Any] | None:
    """The entry of a line, None when it is not one."""
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    if not isinstance(entry, dict) or set(entry) != _FIELDS:
        return None
    whole = isinstance(entry["seq"], int) and isinstance(entry["facts"], dict)
    return entry if whole and all(isinstance(entry[name], str) for name in ("hash", "previous", "action")) else None


_FIELDS: Final = {"seq", "utc", "monotonic_ns", "action", "facts", "previous", "hash"}


def _last_entry(handle: int, path: Path) -> tuple[dict[str, Any] | None, bytes]:
    """The last entry of the file that ends with a line break, and the bytes after the last line break."""
    size = os.fstat(handle).st_size
    for reach in (_TAIL, size):
        start = max(0, size - reach)
        tail = b""
        while len(tail) < size - start and (piece := os.pread(handle, size - start - len(tail), start + len(tail))):
            tail += piece
        *lines, rest = tail.split(b"\n")
        whole = lines if start == 0 else lines[1:]
        found = next((entry for line in reversed(whole) if (entry := _parse(line)) is not None), None)
        if found is not None or start == 0:
            if found is None and any(whole):
                raise IntegrityError(
                    f"the audit log {path} holds no entry that can be read, so it is not what was recorded; it is not "
                    "continued: bring back a copy of it, or name another --case folder"
                )
            return found, rest
    raise AssertionError("the whole file was read")
