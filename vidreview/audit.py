"""The append-only log of a case: each entry holds the hash of the one before (rule A5)."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any, Final

from vidreview.errors import CaseError, IntegrityError

#: what the first entry names as the one before it
FIRST: Final = "0" * 64

#: the action of an entry that stands for bytes which a kill left half written
TORN: Final = "torn-line"

#: the action of an entry that was written when ``audit.head`` did not fit the log, which is then never forgotten
HEAD_LOST: Final = "head-lost"

#: how far back from the end the last entry is looked for at first, bytes
_TAIL: Final = 1 << 16

#: entries are handed to the system in pieces of about this many bytes
_PIECE: Final = 1 << 20


def _utc() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class ChainCheck:
    """What a walk along the whole log found."""

    #: one sentence each; empty when nothing is wrong
    faults: tuple[str, ...]
    #: what a kill leaves, which is no fault
    notes: tuple[str, ...]
    #: sequence number and hash of the last entry; 0 and FIRST when there is none
    seq: int
    head: str
    #: of the hashes that were asked for, those that no entry has
    missing: frozenset[str]


class AuditLog:
    """``audit.jsonl``: one entry a line, ``{seq, utc, monotonic_ns, action, facts, previous, hash}``.

    ``hash`` is the SHA-256 of the entry without it, as JSON with sorted keys, no spaces, ASCII only. A line that a
    kill left unfinished stays where it is; the next entry has the action ``torn-line`` and that line's SHA-256, and
    the chain goes on from the entry before it. ``audit.head`` beside it names the last entry, ``{seq, hash}``, so that
    entries cut off the end are missed; after a kill it names one a little earlier.
    """

    def __init__(
        self, path: Path, clock: Callable[[], str] = _utc, monotonic_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        """Nothing is made before the first ``append``."""
        self.path = path
        self.head_path = path.with_suffix(".head")
        self._clock = clock
        self._monotonic_ns = monotonic_ns

    def append(self, action: str, **facts: Any) -> dict[str, Any]:
        """Add one entry and wait until the disk has it; the entry. Raises CaseError when it cannot be written."""
        entry = self._extend([(action, facts)])[1]
        assert entry is not None
        return entry

    def append_many(self, entries: Iterable[tuple[str, Mapping[str, Any]]]) -> int:
        """Add entries, each an action and its facts, and wait once until the disk has them; how many.

        They stand in the log one behind the other, whoever else writes. Raises CaseError as ``append`` does.
        """
        return self._extend(entries)[0]

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

        Finds entries that were removed, edited, added or reordered; those cut off the end unless ``audit.head`` was
        altered with them. ``head``, the hash quoted at some earlier time, finds that too.
        """
        found = self.check(*([] if head is None else [head]))
        gone = [
            f"the entry with hash {one} is missing: entries were cut off the end or replaced" for one in found.missing
        ]
        return [*found.faults, *gone]

    def check(self, *heads: str) -> ChainCheck:
        """Walk along the log and look at every link; ``heads`` are hashes that entries must have."""
        named, fault = self._named_head()
        missing = {*heads, *([named[1]] if named else [])} - {FIRST}
        walk = _Walk()
        for number, line, entry in self._lines():
            walk.step(number, line, entry)
            if entry is not None:
                missing.discard(entry["hash"])
                if named is not None and entry["hash"] == named[1] and entry["seq"] != named[0]:
                    fault = f"{self.head_path.name} was altered: it names entry {named[0]} by the hash of another"
        walk.end()
        if named is not None and named[1] in missing:
            fault = (
                f"{self.head_path.name} names entry {named[0]}, hash {named[1]}, which the log does not hold: entries "
                "were cut off the end or replaced"
            )
            if named[1] not in heads:
                missing.discard(named[1])
        elif named is None and fault is None and walk.seq:
            fault = f"{self.head_path.name} is missing: whether entries were cut off the end is not known"
        return ChainCheck(
            (*walk.faults, *([fault] if fault else [])), tuple(walk.notes), walk.seq, walk.previous, frozenset(missing)
        )

    # ---- inside

    def _lines(self) -> Iterator[tuple[int, bytes, dict[str, Any] | None]]:
        try:
            if stat.S_ISFIFO(self.path.stat().st_mode):
                raise CaseError(f"the audit log {self.path} is a pipe, not a file; bring back a copy of it")
            with self.path.open("rb") as file:
                for number, line in enumerate(file, 1):
                    text = line.removesuffix(b"\n")
                    yield number, text, _parse(text)
        except FileNotFoundError:
            return
        except OSError as error:
            raise CaseError(f"cannot read the audit log {self.path}: {error.strerror}") from error

    def _extend(self, entries: Iterable[tuple[str, Mapping[str, Any]]]) -> tuple[int, dict[str, Any] | None]:
        """Write entries behind the last one; how many, and the last of them."""
        with self._locked() as handle:
            last, rest = _last_entry(handle, self.path)
            mends: list[tuple[str, Mapping[str, Any]]] = []
            if rest and (whole := _parse(rest)) is not None:
                last = whole  # all of it but the line break was written
            elif rest:
                mends.append((TORN, {"bytes": len(rest), "sha256": hashlib.sha256(rest).hexdigest()}))
            if (lost := self._lost_head(last)) is not None:
                mends.append((HEAD_LOST, lost))
            if last is None and not mends:
                self._put_head(0, FIRST)  # so that a log without it never is one that a kill left behind
            # a line break closes the unfinished line and leaves its bytes as they are
            lines, count = bytearray(b"\n" if rest else b""), -len(mends)
            for action, facts in chain(mends, entries):
                last = self._entry(last, action, facts)
                lines += _canonical(last).encode() + b"\n"
                count += 1
                if len(lines) >= _PIECE:
                    _write(handle, lines)
            _write(handle, lines)
            os.fsync(handle)
            if last is not None:
                self._put_head(last["seq"], last["hash"])
            return count, last

    @contextlib.contextmanager
    def _locked(self) -> Iterator[int]:
        try:
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX)
                yield handle
            finally:
                os.close(handle)
        except OSError as error:
            raise CaseError(f"cannot write the audit log {self.path}: {error.strerror}") from error

    def _entry(self, last: dict[str, Any] | None, action: str, facts: Mapping[str, Any]) -> dict[str, Any]:
        entry: dict[str, Any] = {
            "seq": 1 if last is None else int(last["seq"]) + 1,
            "utc": self._clock(),
            "monotonic_ns": self._monotonic_ns(),
            "action": action,
            "facts": facts,
            "previous": FIRST if last is None else last["hash"],
        }
        # hashed as it will be read back: tuples are lists in JSON
        text = _canonical(entry)
        entry = json.loads(text)
        entry["hash"] = hashlib.sha256(text.encode()).hexdigest()
        return entry

    def _named_head(self) -> tuple[tuple[int, str] | None, str | None]:
        """What ``audit.head`` names, None when it is not there; and what is wrong with it."""
        try:
            named = json.loads(self.head_path.read_bytes())
            return (int(named["seq"]), str(named["hash"])), None
        except FileNotFoundError:
            return None, None
        except OSError as error:
            raise CaseError(f"cannot read {self.head_path}: {error.strerror}") from error
        except (ValueError, KeyError, TypeError, RecursionError):
            return None, f"{self.head_path.name} is not what was written: it names no entry"

    def _lost_head(self, last: dict[str, Any] | None) -> dict[str, Any] | None:
        """The facts of a head-lost entry when ``audit.head`` does not fit the log; None when it does."""
        named, fault = self._named_head()
        if named is None:
            return None if fault is None and last is None else {"named_seq": None, "named_hash": None}
        seq, hashed = named
        at = 0 if last is None else last["seq"]
        fits = hashed == (FIRST if last is None else last["hash"])
        if seq < at:  # a kill came between an entry and its head, so this costs a walk along the log but seldom
            fits = hashed == FIRST or any(entry["hash"] == hashed for entry in self.entries())
        return None if fits else {"named_seq": seq, "named_hash": hashed}

    def _put_head(self, seq: int, hashed: str) -> None:
        temporary = self.head_path.with_name(self.head_path.name + ".part")
        temporary.write_bytes(_canonical({"seq": seq, "hash": hashed}).encode() + b"\n")
        temporary.replace(self.head_path)


class _Walk:
    """The links of the chain, looked at one after the other."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.notes: list[str] = []
        #: of the entry before
        self.previous, self.seq = FIRST, 0
        self._torn: tuple[int, str] | None = None

    def step(self, number: int, line: bytes, entry: dict[str, Any] | None) -> None:
        """Look at the line of this number, from 1, and its entry, None when it is not one."""
        torn = self._torn
        self._torn = None if entry is not None else (number, hashlib.sha256(line).hexdigest())
        if entry is None:
            if torn is not None:
                self.faults.append(f"line {torn[0]} is not an entry, and no torn-line entry follows it")
            return
        if torn is not None and (entry["action"] != TORN or entry["facts"].get("sha256") != torn[1]):
            self.faults.append(f"line {torn[0]} is not an entry, and the entry after it does not account for it")
        elif torn is None and entry["action"] == TORN:
            self.faults.append(f"line {number} stands for a torn line that is not there")
        if entry["action"] == HEAD_LOST:
            self.faults.append(
                f"audit.head did not fit the log when entry {entry['seq']} was written ({_lost(entry['facts'])}): "
                "entries before it were cut off or replaced, or audit.head was"
            )
        self._link(number, line, entry)

    def _link(self, number: int, line: bytes, entry: dict[str, Any]) -> None:
        if _hash(entry) != entry["hash"]:
            self.faults.append(f"line {number} (entry {entry['seq']}) was altered: its hash does not fit")
        elif _canonical(entry).encode() != line:
            self.faults.append(f"line {number} (entry {entry['seq']}) was altered: it is not written as it was")
        if entry["previous"] != self.previous:
            self.faults.append(
                f"line {number} (entry {entry['seq']}) does not follow the entry before it: "
                "entries were removed, added, altered or reordered"
            )
        if entry["seq"] != self.seq + 1:
            self.faults.append(f"line {number} is entry {entry['seq']}, where entry {self.seq + 1} should be")
        self.previous, self.seq = str(entry["hash"]), int(entry["seq"])

    def end(self) -> None:
        """The log is over."""
        if self._torn is not None:
            self.notes.append(
                f"line {self._torn[0]}, the last one, is torn: writing was interrupted; the next entry will note it"
            )


def _lost(facts: dict[str, Any]) -> str:
    if facts.get("named_seq") is None:
        return "it was missing or not readable"
    return f"it named entry {facts['named_seq']}, hash {facts.get('named_hash')}"


def _write(handle: int, lines: bytearray) -> None:
    """Hand all bytes to the system; ``lines`` is empty then."""
    while lines:
        del lines[: os.write(handle, lines)]


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=str)


def _hash(entry: dict[str, Any]) -> str:
    return hashlib.sha256(_canonical({k: v for k, v in entry.items() if k != "hash"}).encode()).hexdigest()


def _parse(line: bytes) -> dict[str, Any] | None:
    """The entry of a line, None when it is not one."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(entry, dict) or set(entry) != _FIELDS:
        return None
    whole = isinstance(entry["seq"], int) and isinstance(entry["facts"], dict)
    return entry if whole and all(isinstance(entry[name], str) for name in ("hash", "previous", "action")) else None


_FIELDS: Final = {"seq", "utc", "monotonic_ns", "action", "facts", "previous", "hash"}


def _last_entry(handle: int, path: Path) -> tuple[dict[str, Any] | None, bytes]:
    """The last entry of the file that ends with a line break, and the bytes after the last line break."""
    size = os.fstat(handle).st_size
    reach = _TAIL
    while True:
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
        reach *= 16
