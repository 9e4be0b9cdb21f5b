"""The hashes of a seizure record, in the form of sha256sum, and what they say of the files that are there (rule A2)."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from vidreview.errors import UsageError
from vidreview.model import Digest

#: length of a digest in hexadecimal → its algorithm
_ALGORITHMS: Final = {32: "md5", 40: "sha1", 64: "sha256"}
#: "<digest>  name", "<digest> *name"; a backslash before it says that the name is escaped
_LINE: Final = re.compile(r"(\\?)([0-9A-Fa-f]{32}|[0-9A-Fa-f]{40}|[0-9A-Fa-f]{64})(?: [ *]|[ \t]+)(.+)")
#: the BSD form: "SHA256 (name) = <digest>"
_TAGGED: Final = re.compile(r"(\\?)(MD5|SHA1|SHA256) \((.+)\) = ([0-9A-Fa-f]{32,64})")
_ESCAPED: Final = re.compile(r"\\([\\nr])")
_LARGEST: Final = 1 << 30


@dataclass(slots=True)
class _Entry:
    digest: Digest
    name: str
    #: its parts from the last backwards, for comparing from the end
    parts: tuple[str, ...]
    met: bool = False


@dataclass(slots=True)
class HashList:
    """Which file should have which hash."""

    path: Path
    #: of the list itself, for the record
    sha256: str
    _entries: list[_Entry] = field(default_factory=list)
    #: last part of the name → entries
    _by_name: dict[str, list[_Entry]] = field(default_factory=dict)

    @property
    def algorithms(self) -> frozenset[str]:
        """By which algorithms files must be hashed to be compared."""
        return frozenset(entry.digest.algorithm for entry in self._entries)

    def fault(self, name: str, path: Path, digests: Iterable[Digest]) -> str | None:
        """What is wrong with a file of this name and path: its hash is another, None when it is as listed.

        Raises KeyError when the list has no file of this name. A listed name is compared from its end: ``DCIM/a.mp4``
        in the list is any file ``…/DCIM/a.mp4``; the longest match counts.
        """
        found = {digest.algorithm: digest for digest in digests}
        there = _parts(os.path.abspath(path)), _parts(name)  # noqa: PTH100 - Path.absolute keeps '..'
        near = [(max(_common(entry.parts, p) for p in there), entry) for entry in self._by_name.get(there[1][0], ())]
        best = max((common for common, _ in near), default=0)
        entries = [entry for common, entry in near if common == best and best]
        if not entries:
            raise KeyError(name)
        for entry in entries:
            entry.met = True
        if any(found[entry.digest.algorithm] == entry.digest for entry in entries):
            return None
        digest = entries[0].digest
        return (
            f"not what the seizure record says: {digest.algorithm} is {found[digest.algorithm]}, "
            f"but {self.path} lists {digest} for {entries[0].name}"
        )

    def missing(self) -> list[str]:
        """Names in the list of which no file was met, in the list's order."""
        return [entry.name for entry in self._entries if not entry.met]


def read_hash_list(path: Path) -> HashList:
    """Read a list of MD5, SHA-1 or SHA-256 hashes as md5sum, sha1sum and sha256sum write it; # begins a comment.

    Raises UsageError when it cannot be read or a line is something else: a list that is half understood checks nothing.
    """
    try:
        # the names in it are bytes, as file names are
        with path.open("rb") as file:
            # a pipe or a device has no size to be told by
            data = file.read(_LARGEST + 1)
        if len(data) > _LARGEST:
            raise UsageError(f"{path}: more than {_LARGEST >> 20} MiB: this is no list of hashes")
        text = _decoded(data)
    except OSError as error:
        raise UsageError(f"cannot read the list of hashes {path}: {error.strerror}") from error
    result = HashList(path, hashlib.sha256(data).hexdigest())
    for number, line in enumerate(text.split("\n"), 1):
        line = line.removesuffix("\r")
        if not line.strip() or line.startswith("#"):
            continue
        entry = _entry(line)
        if entry is None:
            raise UsageError(
                f"{path}, line {number}: not a hash and a name as sha256sum, sha1sum or md5sum write them: "
                f"{line[:60]!r}"
            )
        result._entries.append(entry)
        result._by_name.setdefault(entry.parts[0], []).append(entry)
    if not result._entries:
        raise UsageError(f"{path}: a list of hashes without a single hash")
    return result


def _decoded(data: bytes) -> str:
    """The text of a list; names in it are bytes, as file names are, but where Windows wrote it."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    return data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")


def _entry(line: str) -> _Entry | None:
    if match := _TAGGED.fullmatch(line):
        escaped, algorithm, name, value = match.groups()
        if _ALGORITHMS.get(len(value)) != algorithm.lower():
            return None
    elif match := _LINE.fullmatch(line):
        escaped, value, name = match.groups()
    else:
        return None
    if escaped:
        name = _ESCAPED.sub(lambda m: {"\\": "\\", "n": "\n", "r": "\r"}[m.group(1)], name)
    parts = _parts(name)
    return _Entry(Digest(_ALGORITHMS[len(value)], value.lower()), name, parts) if parts else None


def _parts(name: str) -> tuple[str, ...]:
    """The parts of a path from the last backwards; lists made on Windows separate them by backslashes."""
    if "/" not in name and re.match(r"[A-Za-z]:\\|\.?\\", name):
        name = name.replace("\\", "/")
    return tuple(part for part in reversed(name.split("/")) if part not in ("", "."))


def _common(listed: tuple[str, ...], there: tuple[str, ...]) -> int:
    """How many parts agree from the end; 0 when the whole of neither does: another folder's file of the same name."""
    count = 0
    for one, other in zip(listed, there, strict=False):
        if one != other:
            break
        count += 1
    return count if count == min(len(listed), len(there)) else 0
